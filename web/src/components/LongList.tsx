import { Button, List } from '@mantine/core'
import { useState, type ReactNode } from 'react'

const shownAtFirst = 5

/** A list that may have thousands of entries: the first few, and the rest when asked for. */
export function LongList<T>({ items, entry }: { items: T[]; entry: (item: T) => ReactNode }) {
  const [all, setAll] = useState(false)
  const shown = all ? items : items.slice(0, shownAtFirst)
  return (
    <>
      <List fz="inherit" mt={4}>
        {shown.map((item, index) => (
          <List.Item key={index}>{entry(item)}</List.Item>
        ))}
      </List>
      {items.length > shown.length && (
        <Button
          mt="xs"
          variant="default"
          onClick={() => {
            setAll(true)
          }}
        >
          Show all {items.length}
        </Button>
      )}
    </>
  )
}
