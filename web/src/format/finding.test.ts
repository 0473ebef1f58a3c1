import { expect, test } from 'vitest'
import type { Finding } from '../api/findings'
import { mentions } from './finding'
import { decidingScore, totalOf } from './severity'

const finding: Finding = {
  id: 1,
  vulnerability: 'CVE-2024-3094',
  aliases: ['GHSA-rxwq-x6h5-x525'],
  advisories: ['DEBIAN-CVE-2024-3094'],
  package: "openssl",
  summary: 'Malicious code in the upstream tarballs of xz',
  component: {
    ecosystem: 'Debian:13',
    name: 'liblzma5',
    version: '5.6.0-0.2',
    purl: 'pkg:deb/debian/liblzma5@5.6.0-0.2',
    source: { name: 'xz-utils', version: '5.6.0-0.2' },
    locations: ['var/lib/dpkg/status'],
  },
  fixed: ['5.6.1+really5.4.5-1'],
  severity: 'critical',
  epss: null,
  kev: null,
  ssvc: null,
  cvss: [
    { vector: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H', score: 10, source: 'CNA' },
    { vector: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', score: 9.8, source: 'NVD' },
  ],
}

test.each([
  ['', true],
  ['3094', true],
  ['XZ-utils debian', true],
  ['ghsa-rxwq', true],
  ['dpkg/status', true],
  ['xz openssl', false],
])('mentions %j: %s', (text, found) => {
  expect(mentions(finding, text)).toBe(found)
})

test('the first of several scores decides; without any there is none', () => {
  expect(decidingScore(finding.cvss)).toBe(10)
  expect(decidingScore([])).toBeUndefined()
})

test('totalOf adds every severity', () => {
  expect(totalOf({ malicious: 1, critical: 2, high: 3, medium: 4, low: 5, unknown: 6 })).toBe(21)
})
