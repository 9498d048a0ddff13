// A stranger: a peer on js-libp2p, steered as ../README.md says.
import './shim.js'
import { readFileSync } from 'node:fs'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import * as direct from './direct.js'
import { complain, event, serve } from './lines.js'
import { create } from './node.js'
import { Trips } from './trips.js'

// js's queries of the DHT have no end of their own when no peer answers.
const QUERY_MS = 30_000
const PINGS = 50
// Goodbyes that nobody takes are given up.
const STOP_MS = 3_000

const hex = bytes => Buffer.from(bytes).toString('hex')
const limit = () => ({ signal: AbortSignal.timeout(QUERY_MS) })
const cid = async namespace => CID.createV1(raw.code, await sha256.digest(new TextEncoder().encode(namespace)))
const version = name =>
  JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version

let node
// Message ids of what we publish and whether what we heard had a key: neither is in the implementation's events.
const ids = new WeakMap()
const keyed = new WeakSet()
const trips = new Trips(publish)

const started = () => node ?? (() => { throw new Error('not started') })()
const dht = () => started().services.dht ?? (() => { throw new Error('started without a DHT') })()
const connections = peer => {
  const found = started().getConnections(peerIdFromString(peer))
  if (found.length === 0) throw new Error(`not connected to ${peer}`)
  return found
}
const addresses = list => [...new Set(list.map(String))]

async function publish (topic, data) {
  await started().services.pubsub.publish(topic, data)
  return ids.get(data)
}

// js allows one ping at a time to a peer, and its DHT pings new peers too.
async function ping (peer) {
  for (let tries = 1; ; tries++) {
    try {
      return await started().services.ping.ping(peer)
    } catch (error) {
      if (error.name !== 'TooManyOutboundProtocolStreamsError' || tries === PINGS) throw error
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

// Reads along inside gossipsub: the id it gives to a message, and the `key` field of one that came.
function readAlong (pubsub) {
  const id = pubsub.msgIdFn
  pubsub.msgIdFn = async message => {
    const bytes = await id(message)
    if (message.from == null || message.from.equals(node.peerId)) ids.set(message.data, hex(bytes))
    return bytes
  }
  const receive = pubsub.handleReceivedMessage
  if (receive == null) throw new Error('gossipsub has changed: no handleReceivedMessage')
  pubsub.handleReceivedMessage = function (from, message) {
    if (message.key != null && message.data != null) keyed.add(message.data)
    return receive.call(this, from, message)
  }
}

function listen () {
  const { pubsub } = node.services
  node.addEventListener('connection:open', ({ detail }) =>
    event('connected', { peer: detail.remotePeer.toString(), address: detail.remoteAddr.toString() }))
  node.addEventListener('connection:close', ({ detail }) =>
    event('disconnected', { peer: detail.remotePeer.toString() }))
  pubsub.addEventListener('subscription-change', ({ detail }) => {
    for (const { topic, subscribe } of detail.subscriptions) {
      if (subscribe) event('joined', { peer: detail.peerId.toString(), topic })
    }
  })
  pubsub.addEventListener('message', ({ detail }) => {
    const { topic, data } = detail
    trips.hear(topic, data)?.catch(error => complain('echo', error))
    if (trips.quiet(topic)) return
    const seqno = detail.sequenceNumber?.toString(16).padStart(16, '0')
    event('message', { topic, from: detail.from?.toString(), data: hex(data), seqno, key: keyed.has(data) })
  })
}

function discovered (peer, dial) {
  event('discovered', { peer: peer.id.toString(), addresses: addresses(peer.multiaddrs) })
  if (dial && node.getConnections(peer.id).length === 0) {
    node.dial(peer.id).catch(error => complain('dial', error))
  }
}

await serve({
  async start (options) {
    if (node != null) throw new Error('already started')
    node = await create(options, peer => discovered(peer, options.dial_discovered === true))
    readAlong(node.services.pubsub)
    listen()
    await direct.answer(node, (peer, text) => event('dm', { peer, text }))
    for (const address of options.bootstrap ?? []) {
      node.dial(multiaddr(address)).catch(error => complain(`bootstrap ${address}`, error))
    }
    const parts = ['gossipsub', 'kad-dht', 'mdns'].map(name => `${name} ${version(`@libp2p/${name}`)}`)
    return {
      peer: node.peerId.toString(),
      version: [`js-libp2p ${version('libp2p')}`, ...parts, `node ${process.versions.node}`].join(', ')
    }
  },
  addresses: () => ({ addresses: addresses(started().getMultiaddrs()) }),
  async dial ({ address }) {
    await started().dial(multiaddr(address))
  },
  ping: async ({ peer }) => ({ ms: await ping(peerIdFromString(peer)) }),
  peers: () => ({ peers: started().getConnections().map(connection => connection.remotePeer.toString()) }),
  async identify ({ peer }) {
    const { agentVersion, protocols } = await started().services.identify.identify(connections(peer)[0])
    return { agent: agentVersion, protocols }
  },
  async disconnect ({ peer }) {
    await started().hangUp(peerIdFromString(peer))
  },
  subscribe ({ topic }) {
    started().services.pubsub.subscribe(topic)
  },
  subscribers: ({ topic }) => ({ peers: started().services.pubsub.getSubscribers(topic).map(String) }),
  publish: async ({ topic, data }) => ({ id: await publish(topic, Uint8Array.from(Buffer.from(data, 'hex'))) }),
  async provide ({ namespace }) {
    let told = 0
    for await (const step of dht().provide(await cid(namespace), limit())) {
      if (step.name === 'PEER_RESPONSE' && step.messageName === 'ADD_PROVIDER') told++
    }
    if (told === 0) throw new Error('no peer took the record')
  },
  async find ({ namespace }) {
    const found = new Map()
    for await (const step of dht().findProviders(await cid(namespace), limit())) {
      if (step.name !== 'PROVIDER') continue
      for (const { id, multiaddrs } of step.providers) {
        const known = found.get(id.toString()) ?? []
        found.set(id.toString(), addresses([...known, ...multiaddrs]))
      }
    }
    return { peers: [...found].map(([peer, addresses]) => ({ peer, addresses })) }
  },
  async find_peer ({ peer }) {
    for await (const step of dht().findPeer(peerIdFromString(peer), limit())) {
      if (step.name === 'FINAL_PEER') return { addresses: addresses(step.peer.multiaddrs) }
    }
    throw new Error('not found')
  },
  dm: async ({ peer, text }) => ({ status: await direct.ask(started(), peerIdFromString(peer), text) }),
  echo (request) {
    started().services.pubsub.subscribe(request.topic)
    trips.echo(request)
  },
  async measure (request) {
    started().services.pubsub.subscribe(request.topic)
    return await trips.measure(request)
  },
  stop () {}
})
await Promise.race([node?.stop(), new Promise(resolve => setTimeout(resolve, STOP_MS).unref())])
process.exit(0)
