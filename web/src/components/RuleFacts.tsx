import { Code } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { eventTypesQuery, type Rule } from '../api/rules'
import { groupingNames, isAboutFindings, paceText, quietText, standardLimit } from '../format/rule'
import { Fact, Facts } from './Facts'
import { RuleTargets } from './RuleTargets'
import { RelativeTime } from './Time'

/** All that a rule says, in words; what most leave out stands here only where it is said. */
export function RuleFacts({ rule }: { rule: Rule }) {
  const { group_by: grouping, quiet = [], limit, min_nodes: minNodes = 0, time_zone: zone } = rule
  const { data: types = [] } = useQuery(eventTypesQuery)
  return (
    <Facts>
      <Fact name="What happens">{rule.types.length === 0 ? 'nothing: it is a heartbeat' : <Code className="breakable">{rule.types.join(', ')}</Code>}</Fact>
      <Fact name="Only if">{rule.when === undefined ? 'always' : <Code className="breakable preformatted">{rule.when}</Code>}</Fact>
      {rule.team !== undefined && <Fact name="Of the nodes of">team {rule.team}</Fact>}
      <Fact name="Where to">
        <RuleTargets rule={rule} />
      </Fact>
      {isAboutFindings(rule.types, types) && <Fact name="One notification for each">{groupingNames[grouping]}</Fact>}
      {minNodes > 1 && <Fact name="Only once it is on">{minNodes.toLocaleString('en')} nodes</Fact>}
      <Fact name="When">
        {paceText(rule)}
        {rule.even_if_empty && ', even if there is nothing to tell'}
      </Fact>
      {rule.digest_at !== undefined && (
        <Fact name="Next digest">
          <RelativeTime moment={rule.digest_at} />
        </Fact>
      )}
      {quiet.length > 0 && (
        <Fact name="Quiet">
          {quiet.map((each, index) => (
            <div key={index}>{quietText(each)}</div>
          ))}
          {zone}
        </Fact>
      )}
      {limit !== standardLimit && <Fact name="In ten minutes">{limit.toLocaleString('en')} at most</Fact>}
      <Fact name="What is resolved">{rule.resolved ? 'is told everywhere' : 'closes incidents and issues'}</Fact>
      {rule.title !== undefined && (
        <Fact name="Title">
          <Code className="breakable preformatted">{rule.title}</Code>
        </Fact>
      )}
      {rule.text !== undefined && (
        <Fact name="Text">
          <Code className="breakable preformatted">{rule.text}</Code>
        </Fact>
      )}
    </Facts>
  )
}
