// Node 20 lacks Promise.withResolvers, which js-libp2p calls.
Promise.withResolvers ??= function () {
  const out = {}
  out.promise = new Promise((resolve, reject) => Object.assign(out, { resolve, reject }))
  return out
}
