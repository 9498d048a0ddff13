// Round trips by gossip: what asks begins with `q` and a number, what answers has `r` in its place.
const ASK = 'q'.charCodeAt(0)
const ANSWER = 'r'.charCodeAt(0)
const HEAD_BYTES = 9
// An answer that takes longer counts as lost.
const LOST_MS = 10_000

export class Trips {
  #publish
  #echoed = new Set()
  #quiet = new Set()
  #open = new Map()
  #answered = () => {}

  constructor (publish) {
    this.#publish = publish
  }

  echo ({ topic, quiet }) {
    this.#echoed.add(topic)
    this.#silence(topic, quiet)
  }

  // Whether messages of a topic are not to be told.
  quiet (topic) {
    return this.#quiet.has(topic)
  }

  #silence (topic, quiet) {
    if (quiet === true) this.#quiet.add(topic)
  }

  hear (topic, data) {
    if (data[0] === ASK && this.#echoed.has(topic)) {
      const answer = Uint8Array.from(data)
      answer[0] = ANSWER
      return this.#publish(topic, answer)
    }
    if (data[0] === ANSWER && data.length >= HEAD_BYTES && this.#open.size > 0) this.#answered(topic, number(data))
  }

  async measure ({ topic, count, in_flight: inFlight, bytes, quiet }) {
    if (this.#open.size > 0) throw new Error('a measurement is under way')
    this.#silence(topic, quiet)
    const times = []
    let lost = 0
    let next = 0
    let ended
    const start = performance.now()
    const { promise, resolve, reject } = Promise.withResolvers()
    const fill = () => {
      while (next < count && this.#open.size < inFlight) {
        const message = new Uint8Array(Math.max(bytes ?? 0, HEAD_BYTES))
        message[0] = ASK
        new DataView(message.buffer).setBigUint64(1, BigInt(next))
        this.#open.set(next++, performance.now())
        this.#publish(topic, message).catch(reject)
      }
      if (this.#open.size === 0) resolve()
    }
    this.#answered = (heard, number) => {
      const sent = this.#open.get(number)
      if (heard !== topic || sent == null) return
      this.#open.delete(number)
      ended = performance.now()
      times.push(ended - sent)
      fill()
    }
    const ticks = setInterval(() => {
      for (const [number, sent] of this.#open) {
        if (performance.now() - sent < LOST_MS) break
        this.#open.delete(number)
        lost++
      }
      fill()
    }, 250)
    try {
      fill()
      await promise
    } finally {
      clearInterval(ticks)
      this.#open.clear()
    }
    times.sort((a, b) => a - b)
    const quantile = part => {
      const at = Math.min(Math.floor(times.length * part), times.length - 1)
      return at < 0 ? null : Math.round(times[at] * 1000)
    }
    const seconds = ended == null ? null : (ended - start) / 1000
    return { seconds, p50_us: quantile(0.5), p99_us: quantile(0.99), lost }
  }
}

const number = data => Number(new DataView(data.buffer, data.byteOffset).getBigUint64(1))
