import { Text } from '@mantine/core'
import { TextLink } from './TextLink'
import classes from './NodeLink.module.css'

/** A node's name; images have names of any length, of which a table shows two lines and the pointer the rest. */
export function NodeLink({ node }: { node: { id: string; name: string } }) {
  return (
    <TextLink to="/nodes/$id" params={{ id: node.id }} fw={600} className={classes.link} title={node.name}>
      {node.name}
    </TextLink>
  )
}

/** A node's name with what it is beneath. */
export function NodeAndKind({ node }: { node: { id: string; name: string; kind: string } }) {
  return (
    <>
      <NodeLink node={node} />
      <Text fz="xs" c="dimmed">
        {node.kind}
      </Text>
    </>
  )
}
