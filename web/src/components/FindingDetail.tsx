import { List } from '@mantine/core'
import type { ReactNode } from 'react'
import type { Finding } from '../api/findings'
import classes from './FindingDetail.module.css'

/** The evidence for a finding: where the component is, what it was built from, and how it was scored. */
export function FindingDetail({ finding }: { finding: Finding }) {
  const { component } = finding
  return (
    <dl className={classes.detail}>
      {finding.summary !== '' && <Line name="Summary">{finding.summary}</Line>}
      {finding.aliases.length > 0 && <Line name="Aliases">{finding.aliases.join(', ')}</Line>}
      {component.purl !== undefined && (
        <Line name="Package URL">
          <span className="mono">{component.purl}</span>
        </Line>
      )}
      {component.source !== undefined && (
        <Line name="Built from">
          {component.source.name} {component.source.version}
        </Line>
      )}
      {component.locations !== undefined && (
        <Line name="Found at">
          <Lines of={component.locations} />
        </Line>
      )}
      {finding.cvss.length > 0 && (
        <Line name="CVSS">
          <Lines of={finding.cvss.map(({ score, vector, source }) => `${score.toFixed(1)}  ${vector}  (${source})`)} />
        </Line>
      )}
    </dl>
  )
}

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

function Lines({ of: lines }: { of: string[] }) {
  return (
    <List listStyleType="none" fz="inherit" className="mono">
      {lines.map((line) => (
        <List.Item key={line}>{line}</List.Item>
      ))}
    </List>
  )
}
