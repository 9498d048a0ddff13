// The protocol of ../README.md: requests in, answers and events out, one JSON object a line.
import { createInterface } from 'node:readline'

export class Cannot extends Error {}

const write = line => process.stdout.write(JSON.stringify(line) + '\n')

export const event = (name, fields) => write({ event: name, ...fields })

export const complain = (what, error) => process.stderr.write(`${what}: ${error?.message ?? error}\n`)

// Answers each request as it is done, in any order; ends when the input does.
export async function serve (requests) {
  const answer = async request => {
    const { tag } = request
    try {
      const run = Object.hasOwn(requests, request.do) ? requests[request.do] : undefined
      if (run == null) throw new Cannot(`no such request: ${request.do}`)
      write({ tag, ok: true, ...await run(request) })
    } catch (error) {
      const cannot = error instanceof Cannot ? { cannot: true } : {}
      write({ tag, ok: false, error: `${error?.name ?? 'Error'}: ${error?.message ?? error}`, ...cannot })
    }
  }
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === '') continue
    let request
    try {
      request = JSON.parse(line)
    } catch (error) {
      complain('not JSON', error)
      continue
    }
    const done = answer(request)
    if (request.do === 'stop') return await done
  }
}
