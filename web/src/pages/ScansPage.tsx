import { useNavigate, useSearch } from '@tanstack/react-router'
import { scanStates } from '../api/scans'
import { FilterSelect } from '../components/FilterSelect'
import { PageHeader } from '../components/PageHeader'
import { ScansTable } from '../components/ScansTable'

export function ScansPage() {
  const filter = useSearch({ from: '/console/scans' })
  const navigate = useNavigate({ from: '/scans' })
  return (
    <>
      <PageHeader title="Scans">
        <FilterSelect
          label="State"
          any="Any state"
          options={scanStates}
          value={filter.state}
          onChange={(state) => void navigate({ search: { state } })}
        />
      </PageHeader>
      <ScansTable filter={filter} />
    </>
  )
}
