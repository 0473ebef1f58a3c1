import type { Trial } from '../api/integrations'
import { tookText } from '../format/delivery'
import { Callout } from './Callout'
import { Exchange } from './Said'
import { bringIntoSight } from './sight'

/** What came of a test, in the far side's own words. */
export function TrialResult({ trial: { ok, error, request, response, took_ms: took } }: { trial: Trial }) {
  return (
    <section aria-label="Test" ref={bringIntoSight}>
      <Callout kind={ok ? 'done' : 'failure'} role={ok ? 'status' : 'alert'} title={ok ? 'The test arrived' : 'The test did not arrive'}>
        {ok ? `The far side took it within ${tookText(took)}.` : `${error ?? 'The far side refused it'} (after ${tookText(took)})`}
      </Callout>
      <Exchange request={request} response={response} />
    </section>
  )
}
