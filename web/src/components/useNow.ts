import { useEffect, useState } from 'react'

/** The current time in milliseconds, read anew at the given interval; null reads it once. */
export function useNow(interval: number | null): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (interval === null) return
    const timer = setInterval(() => {
      setNow(Date.now())
    }, interval)
    return () => {
      clearInterval(timer)
    }
  }, [interval])
  return now
}
