import { Button, Code, Group } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { kindsQuery, useRedeliverIntegration, type Integration } from '../api/integrations'
import { allRulesQuery } from '../api/rules'
import { useMayOperate } from '../api/session'
import { settingText } from '../format/integration'
import { useNoticeBoard } from '../notices'
import { Fact, Facts } from './Facts'
import { IntegrationStateLabel } from './State'
import { TextLink } from './TextLink'
import { None, RelativeTime } from './Time'

/** How an integration does, what it is told by, and its settings but for secrets. */
export function IntegrationFacts({ integration }: { integration: Integration }) {
  const { data: kinds } = useQuery(kindsQuery)
  const kind = kinds?.find(({ name }) => name === integration.kind)
  return (
    <Facts>
      <Fact name="State">
        <IntegrationStateLabel state={integration.state} />
      </Fact>
      <Fact name="Kind">{kind?.title ?? integration.kind}</Fact>
      <Fact name="Last delivered">
        <RelativeTime moment={integration.delivered_at} />
      </Fact>
      <Fact name="Waiting">{integration.pending.toLocaleString('en')}</Fact>
      <Fact name="Given up">
        <GivenUp integration={integration} />
      </Fact>
      <Fact name="Told by">
        <TellingRules integration={integration.id} />
      </Fact>
      {integration.per_minute > 0 && <Fact name="In a minute">{integration.per_minute.toLocaleString('en')} at most</Fact>}
      {kind?.fields.map((field) => {
        const text = settingText(field, integration)
        return (
          text !== undefined && (
            <Fact key={field.name} name={field.label}>
              {integration.secrets.includes(field.name) ? text : <Code className="breakable">{text}</Code>}
            </Fact>
          )
        )
      })}
    </Facts>
  )
}

function GivenUp({ integration: { id, name, dead } }: { integration: Integration }) {
  const mayOperate = useMayOperate()
  const redeliver = useRedeliverIntegration(id)
  const notices = useNoticeBoard()
  return (
    <Group gap="xs">
      {dead.toLocaleString('en')}
      {dead > 0 && mayOperate && (
        <Button
          variant="default"
          size="compact-xs"
          loading={redeliver.isPending}
          onClick={() => {
            redeliver.mutate(undefined, {
              onSuccess: (after) => {
                notices.show({ kind: 'done', title: `Deliveries to ${name}`, text: redelivered(dead - after.dead, after.dead) })
              },
            })
          }}
        >
          Send all again
        </Button>
      )}
    </Group>
  )
}

/** What is not sent again is older than something of the same that arrived. */
function redelivered(revived: number, kept: number): string {
  const sent = revived === 1 ? '1 is sent again.' : `${revived.toLocaleString('en')} are sent again.`
  return kept === 0 ? sent : `${sent} ${kept.toLocaleString('en')} stay given up: something newer of the same was delivered.`
}

function TellingRules({ integration }: { integration: string }) {
  const { data: rules = [] } = useQuery(allRulesQuery)
  const telling = rules.filter(({ integrations }) => integrations.includes(integration))
  if (telling.length === 0) return <None />
  return telling.map(({ id, name }, index) => (
    <span key={id}>
      {index > 0 && ', '}
      <TextLink to="/rules/$id" params={{ id }}>
        {name}
      </TextLink>
    </span>
  ))
}
