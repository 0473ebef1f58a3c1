import { Button, Switch, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconBell, IconPlus } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { rulesQuery, useEnableRule, type Rule } from '../api/rules'
import { useMayOperate } from '../api/session'
import { EmptyNote } from '../components/EmptyNote'
import { ListTable, type Column } from '../components/ListTable'
import { NotificationTabs } from '../components/NotificationTabs'
import { PageHeader } from '../components/PageHeader'
import { NewRuleDialog } from '../components/RuleDialogs'
import { RuleTargets } from '../components/RuleTargets'
import { TextLink } from '../components/TextLink'
import { None, RelativeTime } from '../components/Time'
import { paceText, switched } from '../format/rule'

const columns: Column<Rule>[] = [
  { key: 'enabled', header: 'Enabled', width: 76, cell: (rule) => <EnableSwitch rule={rule} /> },
  {
    key: 'name',
    header: 'Name',
    width: '22%',
    cell: ({ id, name }) => (
      <TextLink to="/rules/$id" params={{ id }} fw={600} className="breakable">
        {name}
      </TextLink>
    ),
  },
  { key: 'types', header: 'What happens', width: '20%', cell: (rule) => <Types rule={rule} /> },
  { key: 'integrations', header: 'Where to', width: '18%', cell: (rule) => <RuleTargets rule={rule} /> },
  { key: 'pace', header: 'When', width: '14%', cell: (rule) => <Pace rule={rule} /> },
  { key: 'error', header: 'Last error', cell: (rule) => <LastError rule={rule} /> },
]

export function RulesPage() {
  const list = useInfiniteQuery(rulesQuery())
  const mayOperate = useMayOperate()
  const [creating, { open, close }] = useDisclosure(false)
  return (
    <>
      <PageHeader title="Rules">
        {mayOperate && (
          <Button leftSection={<IconPlus size={14} aria-hidden />} onClick={open}>
            New rule
          </Button>
        )}
      </PageHeader>
      <NotificationTabs />
      <ListTable name="Rules" list={list} columns={columns} rowKey={({ id }) => id} empty={<NoRules onNew={mayOperate ? open : undefined} />} />
      <NewRuleDialog opened={creating} onClose={close} />
    </>
  )
}

function EnableSwitch({ rule }: { rule: Rule }) {
  const enable = useEnableRule(rule.id)
  const mayOperate = useMayOperate()
  return (
    <Switch
      size="xs"
      aria-label={`${rule.name} is enabled`}
      checked={enable.isPending ? enable.variables.enabled : rule.enabled}
      disabled={enable.isPending || !mayOperate}
      onChange={(event) => {
        enable.mutate(switched(rule, event.currentTarget.checked))
      }}
    />
  )
}

function Types({ rule: { types, when } }: { rule: Rule }) {
  return (
    <>
      <span className="mono breakable">{types.length === 0 ? 'nothing' : types.join(', ')}</span>
      {when !== undefined && (
        <Text fz="xs" c="dimmed" className="mono breakable" lineClamp={2} title={when}>
          if {when}
        </Text>
      )}
    </>
  )
}

function Pace({ rule }: { rule: Rule }) {
  return (
    <>
      {paceText(rule)}
      {rule.digest_at !== undefined && (
        <Text fz="xs" c="dimmed">
          next <RelativeTime moment={rule.digest_at} />
        </Text>
      )}
    </>
  )
}

function LastError({ rule: { error, error_at: moment } }: { rule: Rule }) {
  if (error === undefined) return <None />
  return (
    <>
      <Text inherit c="var(--state-bad)" className="breakable" lineClamp={3} title={error}>
        {error}
      </Text>
      <Text fz="xs" c="dimmed">
        <RelativeTime moment={moment} />
      </Text>
    </>
  )
}

function NoRules({ onNew }: { onNew: (() => void) | undefined }) {
  return (
    <EmptyNote icon={IconBell} title="No rule yet" action={onNew && <Button onClick={onNew}>New rule</Button>}>
      A rule says what is told, and to which integrations: a new critical finding, a scan that failed, a feed that is stale.
    </EmptyNote>
  )
}
