// universal-connectivity's direct messages: one request, one response, each length-prefixed protobuf.
import { lpStream } from '@libp2p/utils'
import protobuf from 'protobufjs'

export const PROTOCOL = '/universal-connectivity/dm/1.0.0'

// As in its direct-message.ts.
const CLIENT_VERSION = '0.0.1'
const TIMEOUT_MS = 5000
const TYPE = 'text/plain'

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Metadata { string clientVersion = 1; int64 timestamp = 2; }
  enum Status { UNKNOWN = 0; OK = 200; ERROR = 500; }
  message Request { Metadata metadata = 1; string content = 2; string type = 3; }
  message Response { Metadata metadata = 1; Status status = 2; optional string statusText = 3; }
`)
const Request = root.lookupType('Request')
const Response = root.lookupType('Response')
const { OK, ERROR } = root.lookupEnum('Status').values

const metadata = () => ({ clientVersion: CLIENT_VERSION, timestamp: Date.now() })
const limit = () => ({ signal: AbortSignal.timeout(TIMEOUT_MS) })
const encode = (type, value) => type.encode(type.create(value)).finish()
const read = async (stream, type) => type.decode((await stream.read(limit())).subarray())

// Sends a text and returns the status of the answer.
export async function ask (node, peer, text) {
  const open = await node.dialProtocol(peer, PROTOCOL, limit())
  try {
    const stream = lpStream(open)
    await stream.write(encode(Request, { metadata: metadata(), content: text, type: TYPE }), limit())
    const response = await read(stream, Response)
    if (response.metadata == null) throw new Error('the response has no metadata')
    return response.status
  } finally {
    await open.close(limit()).catch(() => open.abort(new Error('not closed in time')))
  }
}

// Answers texts and tells them.
export async function answer (node, heard) {
  await node.handle(PROTOCOL, async (open, connection) => {
    const stream = lpStream(open)
    const request = await read(stream, Request)
    const good = request.metadata != null && request.type === TYPE
    if (good) heard(connection.remotePeer.toString(), request.content)
    const status = good ? { status: OK } : { status: ERROR, statusText: 'no metadata, or not text/plain' }
    await stream.write(encode(Response, { metadata: metadata(), ...status }), limit())
    await open.close(limit())
  })
}
