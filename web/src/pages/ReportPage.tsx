import { useNavigate, useSearch } from '@tanstack/react-router'
import { useExportReport } from '../api/export'
import { ExportMenu } from '../components/ExportMenu'
import { PageHeader } from '../components/PageHeader'
import { ReportFilters } from '../components/ReportFilters'
import { ReportHead } from '../components/ReportHead'
import { ReportTable } from '../components/ReportTable'

export function ReportPage() {
  const filter = useSearch({ from: '/console/scans' })
  const navigate = useNavigate({ from: '/scans' })
  const exporting = useExportReport(filter)
  return (
    <>
      <PageHeader title="Vulnerability Scans">
        <ExportMenu what="the report" exporting={exporting} />
      </PageHeader>
      <ReportHead />
      <ReportFilters filter={filter} onChange={(search) => void navigate({ search, replace: true })} />
      <ReportTable filter={filter} />
    </>
  )
}
