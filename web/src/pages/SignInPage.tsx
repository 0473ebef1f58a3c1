import { Button, Center, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core'
import { useRouter, useSearch } from '@tanstack/react-router'
import type { SubmitEvent } from 'react'
import { useSignIn } from '../api/session'
import { Brand } from '../components/Brand'
import { ProblemAlert } from '../components/ProblemAlert'
import { textOf } from '../format/form'
import { pathWithin } from '../search'

export function SignInPage() {
  const { target } = useSearch({ from: '/sign-in' })
  const { history } = useRouter()
  const signIn = useSignIn()
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget)
    const credentials = { username: textOf(fields, 'username'), password: textOf(fields, 'password') }
    signIn.mutate(credentials, {
      onSuccess: () => {
        history.push(pathWithin(target) ?? '/nodes')
      },
    })
  }
  return (
    <Center component="main" mih="100vh" p="md" bg="var(--surface-sunken)">
      <title>Sign in · Patrol</title>
      <Paper withBorder p="lg" w={360} bg="var(--surface)">
        <form onSubmit={submit} aria-label="Sign in">
          <Stack gap="sm">
            <Brand />
            <Title order={1} fz="md">
              Sign in
            </Title>
            {signIn.isError && <ProblemAlert error={signIn.error} />}
            <TextInput name="username" label="Username" autoComplete="username" defaultValue="admin" required withAsterisk={false} />
            <PasswordInput name="password" label="Password" autoComplete="current-password" required withAsterisk={false} autoFocus />
            <Button type="submit" size="sm" mt={4} loading={signIn.isPending}>
              Sign in
            </Button>
            <Text fz="xs" c="dimmed">
              The first user is admin. Its password is in PATROL_ADMIN_PASSWORD, or was printed once when the console first started.
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  )
}
