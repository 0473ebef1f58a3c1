import { IconMapOff } from '@tabler/icons-react'
import { EmptyNote } from '../components/EmptyNote'
import { PageHeader } from '../components/PageHeader'
import { TextLink } from '../components/TextLink'

export function NotFoundPage() {
  return (
    <>
      <PageHeader title="No such page" />
      <EmptyNote icon={IconMapOff} title="Nothing is at this address">
        Go to the <TextLink underline="always" to="/nodes">nodes</TextLink> or the <TextLink underline="always" to="/scans">scans</TextLink>.
      </EmptyNote>
    </>
  )
}
