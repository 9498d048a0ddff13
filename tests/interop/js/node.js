// The peer: js-libp2p with what its users take, and its own defaults except where a line says why.
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

// The specification's message id, which is not js's own: `from` ‖ sequence number.
function specId (message) {
  const from = message.from.toMultihash().bytes
  const id = new Uint8Array(from.length + 8)
  id.set(from)
  new DataView(id.buffer).setBigUint64(from.length, message.sequenceNumber)
  return id
}

// Messages without a signature have no author either.
const contentId = message => message.data

// mdns, with each answer it understands told.
const telling = (options, found) => components => {
  const service = mdns(options)(components)
  service.addEventListener('peer', ({ detail }) => found(detail))
  return service
}

export async function create (options, found) {
  const privateKey = await generateKeyPairFromSeed('Ed25519', Buffer.from(options.seed, 'hex'))
  const services = {
    identify: identify(),
    ...options.ping === false ? {} : { ping: ping() },
    pubsub: gossipsub({
      // By default, a publication that nobody is subscribed to is an error.
      allowPublishToZeroTopicPeers: true,
      ...options.id_profile === 'own' ? {} : { msgIdFn: specId },
      ...options.unsigned === true ? { globalSignaturePolicy: 'StrictNoSign', msgIdFn: contentId } : {}
    })
  }
  if (options.dht != null) {
    services.dht = kadDHT({
      protocol: options.dht_protocol ?? '/ipfs/kad/1.0.0',
      clientMode: options.dht !== 'server',
      // By default, peers with private addresses are not believed in.
      peerInfoMapper: passthroughMapper
    })
  }
  const name = options.mdns
  const serviceTag = name == null || name.endsWith('.local') ? name : `${name}.local`
  return await createLibp2p({
    privateKey,
    addresses: { listen: options.listen ?? [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    peerDiscovery: name == null ? [] : [telling({ serviceTag }, found)],
    services
  })
}
