import { Box, Text } from '@mantine/core'
import { Copy } from './Command'
import classes from './Said.module.css'

/** What one side said to the other, to the letter. Nothing said is said too. */
export function Said({ name, text, nothing }: { name: string; text: string; nothing: string }) {
  return (
    <Box component="section" aria-label={name} miw={0}>
      <div className={classes.head}>
        <Text span fz="xs" fw={600} c="dimmed">
          {name}
        </Text>
        {text !== '' && <Copy value={text} what={name.toLowerCase()} />}
      </div>
      {text === '' ? (
        <Text fz="sm" c="dimmed">
          {nothing}
        </Text>
      ) : (
        <pre className={classes.said} tabIndex={0}>
          {text}
        </pre>
      )}
    </Box>
  )
}

/** A request and its answer, side by side where there is room. */
export function Exchange({ request, response }: { request: string; response: string }) {
  return (
    <div className={classes.exchange}>
      <Said name="Request" text={request} nothing="Nothing was sent." />
      <Said name="Response" text={response} nothing="Nothing was answered." />
    </div>
  )
}
