import {
  IconBrandAws,
  IconBrandElastic,
  IconBrandGoogle,
  IconBrandSlack,
  IconBrandTeams,
  IconBucket,
  IconChartBar,
  IconDatabaseSearch,
  IconMail,
  IconMessageDots,
  IconPlugConnected,
  IconReportSearch,
  IconTerminal2,
  IconTicket,
  IconUrgent,
  IconWebhook,
  type Icon as IconComponent,
} from '@tabler/icons-react'
import type { Kind } from '../api/integrations'

/** How a kind of integration looks where one is chosen, and what it makes of a notification. */
interface KindLook {
  icon: IconComponent
  text: string
}

const looks: Record<string, KindLook | undefined> = {
  chronicle: { icon: IconBrandGoogle, text: 'a raw log for each finding' },
  elasticsearch: { icon: IconBrandElastic, text: 'a document for each finding' },
  email: { icon: IconMail, text: 'a message by SMTP' },
  http: { icon: IconWebhook, text: 'a signed request to any address' },
  jira: { icon: IconTicket, text: 'an issue, kept up to date and closed' },
  opensearch: { icon: IconDatabaseSearch, text: 'a document for each finding' },
  pagerduty: { icon: IconUrgent, text: 'an alert, kept up to date and closed' },
  s3: { icon: IconBucket, text: 'an object in a bucket' },
  securityhub: { icon: IconBrandAws, text: 'a finding, kept up to date and closed' },
  shoutrrr: { icon: IconMessageDots, text: 'a message by a chat or push service' },
  slack: { icon: IconBrandSlack, text: 'a message in a channel' },
  splunk: { icon: IconReportSearch, text: 'an event for each finding' },
  sumologic: { icon: IconChartBar, text: 'a log message for each finding' },
  syslog: { icon: IconTerminal2, text: 'a message for each finding' },
  teams: { icon: IconBrandTeams, text: 'a card in a channel' },
}

/** A kind that this page does not know gets a plug, and what its console says of it. */
export function kindLook(kind: Kind): KindLook {
  return looks[kind.name] ?? { icon: IconPlugConnected, text: kindText(kind) }
}

function kindText({ tracks, records }: Kind): string {
  if (tracks) return 'kept up to date, and closed'
  return records ? 'a record of each finding' : 'a message'
}
