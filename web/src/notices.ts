import { createContext, useContext } from 'react'

/** What the console says about something the user has just done. */
export interface Notice {
  id: number
  kind: 'done' | 'failed'
  title: string
  text: string
  /** The scan that came of it, to follow. */
  scan?: string
}

/** The notices on show, outside React so that the query client can speak too. */
export class NoticeBoard {
  private notices: Notice[] = []
  private lastId = 0
  private readonly listeners = new Set<() => void>()

  readonly current = (): Notice[] => this.notices

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  show(notice: Omit<Notice, 'id'>): void {
    this.lastId += 1
    this.replace([...this.notices, { ...notice, id: this.lastId }])
  }

  dismiss(id: number): void {
    this.replace(this.notices.filter((notice) => notice.id !== id))
  }

  private replace(notices: Notice[]): void {
    this.notices = notices
    for (const listener of this.listeners) listener()
  }
}

export const NoticeBoardContext = createContext<NoticeBoard | null>(null)

export function useNoticeBoard(): NoticeBoard {
  const board = useContext(NoticeBoardContext)
  if (board === null) throw new Error('useNoticeBoard is used outside NoticeBoardContext: wrap the application in it')
  return board
}
