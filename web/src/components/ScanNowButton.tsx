import { Button } from '@mantine/core'
import { useMayOperate } from '../api/session'
import { useScanNow } from '../api/scans'
import { useNoticeBoard } from '../notices'

export function ScanNowButton({ node }: { node: { id: string; name: string } }) {
  const scanNow = useScanNow()
  const notices = useNoticeBoard()
  const mayOperate = useMayOperate()
  if (!mayOperate) return null
  return (
    <Button
      variant="default"
      size="compact-xs"
      loading={scanNow.isPending}
      aria-label={`Scan now: ${node.name}`}
      onClick={() => {
        scanNow.mutate(node.id, {
          onSuccess: ({ items }) => {
            notices.show({ kind: 'done', title: 'Scan queued', text: `${node.name} is scanned as soon as its agent asks for work.`, scan: items[0]?.id })
          },
        })
      }}
    >
      Scan now
    </Button>
  )
}
