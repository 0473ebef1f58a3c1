import { Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { trendQuery } from '../api/report'
import { OverdueFilters } from '../components/OverdueFilters'
import { OverdueTable } from '../components/OverdueTable'
import { PageHeader } from '../components/PageHeader'
import { dueLine } from '../format/due'

export function OverduePage() {
  const filter = useSearch({ from: '/console/overdue' })
  const navigate = useNavigate({ from: '/overdue' })
  return (
    <>
      <PageHeader title="Overdue" />
      <DueTerms />
      <OverdueFilters filter={filter} onChange={(search) => void navigate({ search, replace: true })} />
      <OverdueTable filter={filter} />
    </>
  )
}

/** Why it is overdue: what the settings give it. A page without it is no worse. */
function DueTerms() {
  const { data: trend } = useQuery(trendQuery)
  return (
    <Text fz="xs" c="dimmed" mb="xs" mih="1.5em">
      {trend !== undefined && `Open, not decided, and past the due date, which counts from the day it was opened: ${dueLine(trend.due)}. What was opened last stands first.`}
    </Text>
  )
}
