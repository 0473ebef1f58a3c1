import { useMutation } from '@tanstack/react-query'
import type { Asked } from './client'
import { api } from './client'
import { asked, type ReportFilter } from './report'

export type ExportFormat = Asked<'/api/v1/scans/{id}/export'>['format']

/** What there is to choose, and what each is good for. */
export const exportFormats: Record<ExportFormat, string> = {
  csv: 'CSV',
  json: 'JSON',
  xlsx: 'XLSX, for spreadsheets',
  pdf: 'PDF, to print',
  sarif: 'SARIF, for code scanning',
}

interface Answer {
  data?: Blob
  response: Response
}

export function useExportReport(filter: ReportFilter) {
  return useMutation({
    mutationFn: async (format: ExportFormat) => {
      save(await api.GET('/api/v1/reports/vulnerability-scans/export', { params: { query: { ...asked(filter), format } }, parseAs: 'blob' }))
    },
  })
}

export function useExportScan(id: string) {
  return useMutation({
    mutationFn: async (format: ExportFormat) => {
      save(await api.GET('/api/v1/scans/{id}/export', { params: { path: { id }, query: { format } }, parseAs: 'blob' }))
    },
  })
}

/** Hands a file to the browser. A plain link would save a refusal as if it were the file. */
function save({ data, response }: Answer): void {
  if (data === undefined) return
  const link = document.createElement('a')
  link.href = URL.createObjectURL(data)
  link.download = fileName(response.headers.get('Content-Disposition'))
  link.click()
  // The download has its own hold on the data once it has begun.
  setTimeout(() => {
    URL.revokeObjectURL(link.href)
  }, 10_000)
}

function fileName(disposition: string | null): string {
  return /filename="([^"]+)"/.exec(disposition ?? '')?.[1] ?? 'patrol-export'
}
