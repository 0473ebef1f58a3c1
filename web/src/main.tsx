import '@mantine/core/styles.css'
import './app.css'
import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { NoticeBoard, NoticeBoardContext } from './notices'
import { createQueryClient } from './queries'
import { createConsoleRouter } from './router'
import { meaningfulColors, theme } from './theme'

const notices = new NoticeBoard()
const queries = createQueryClient(notices, () => void router.invalidate())
const router = createConsoleRouter(queries)

const container = document.getElementById('root')
if (container === null) throw new Error('index.html has no element with the id root')

createRoot(container).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={meaningfulColors} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <NoticeBoardContext value={notices}>
          <RouterProvider router={router} />
        </NoticeBoardContext>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
)
