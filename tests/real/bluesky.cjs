// The network of `@atproto/dev-env`: directory of accounts (PLC), PDS and AppView, on loopback.
//
//     node bluesky.cjs FOLDER      FOLDER: where `npm install @atproto/dev-env` was run
//
// Needs DB_POSTGRES_URL and REDIS_HOST. Prints one line of JSON with the addresses once it
// answers, and ends with its standard input: it cannot outlive whoever started it.
'use strict'

const { createRequire } = require('node:module')
const net = require('node:net')
const path = require('node:path')

// These servers listen everywhere unless told otherwise, and cannot be told.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (first, ...rest) {
  if (typeof first === 'object') return listen.call(this, { ...first, host: '127.0.0.1' }, ...rest)
  return listen.call(this, first, '127.0.0.1', ...rest.filter((one) => typeof one === 'function'))
}

const { TestNetwork } = createRequire(path.resolve(process.argv[2], 'x'))('@atproto/dev-env')

const hosted = new Date(0) // since when the hosted AppView shows when it saw a post

process.stdin.resume().on('end', () => process.exit())
TestNetwork.create({
  pds: { rateLimitsEnabled: true },
  bsky: { dbPostgresSchema: 'bsky', indexedAtEpoch: hosted },
}).then(
  ({ pds, bsky }) => {
    const [first, second] = [pds, bsky].map(({ port }) => `http://127.0.0.1:${port}`)
    console.log(JSON.stringify({ pds: first, appview: second }))
  },
  (error) => {
    console.error(error)
    process.exit(1)
  },
)
