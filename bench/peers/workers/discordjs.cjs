// @discordjs/voice: what it does for each packet, between the Opus and the socket.
//
// node discordjs.cjs FOLDER, where FOLDER holds node_modules. Speaks what peer_process.py says.

'use strict';
const { createInterface } = require('node:readline');
const { createRequire } = require('node:module');
const { join } = require('node:path');

const there = createRequire(join(process.argv[2], 'package.json'));
const voice = there('@discordjs/voice');
const davey = there('@snazzah/davey');
const { readFileSync } = require('node:fs');

const KEY = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const MODES = { aes: 'aead_aes256_gcm_rtpsize', xchacha: 'aead_xchacha20_poly1305_rtpsize' };
const NONCE_SIZES = { aes: 12, xchacha: 24 };
const READY = voice.NetworkingStatusCode.Ready;
const USER = '1';

/** Its encryption of frames, around the session that the group gives us later. */
const encryption = Object.create(voice.DAVESession.prototype);
encryption.protocolVersion = 1;

/** A call that is ready, with a socket that keeps the last packet. */
function sealing(cipher, dave) {
  let sent;
  const networking = Object.create(voice.Networking.prototype);
  const connectionData = {
    encryptionMode: MODES[cipher],
    secretKey: new Uint8Array(KEY),
    nonce: 0,
    nonceBuffer: Buffer.alloc(NONCE_SIZES[cipher]),
    sequence: 0,
    timestamp: 0,
    ssrc: 1,
    packetsPlayed: 0,
    speaking: true,
  };
  const udp = { send(packet) { sent = packet; } };
  Object.defineProperty(networking, 'state', { value: { code: READY, connectionData, udp, dave } });
  return (opus) => {
    networking.prepareAudioPacket(opus);
    networking.dispatchAudio();
    return sent;
  };
}

/** Parsing and decryption; the speaking map, its timers and the stream behind are left out. */
function opening(cipher) {
  const receiver = Object.create(voice.VoiceReceiver.prototype);
  receiver.voiceConnection = {
    state: { status: 'ready', networking: { state: { code: READY, dave: undefined } } },
  };
  const nonce = Buffer.alloc(NONCE_SIZES[cipher]);
  return (packet) => receiver.parsePacket(packet, MODES[cipher], nonce, KEY, USER);
}

const calls = {
  'seal/aes': sealing('aes'),
  'seal/xchacha': sealing('xchacha'),
  'seal+dave/aes': sealing('aes', encryption),
  'seal+dave/xchacha': sealing('xchacha', encryption),
  'open/aes': opening('aes'),
  'open/xchacha': opening('xchacha'),
  'open+extension/aes': opening('aes'),
  'open+extension/xchacha': opening('xchacha'),
};
const data = {};
/** Calls before anything is measured: node compiles what it has seen run often. */
const WARM = 5000;

function run(name, n) {
  const call = calls[name], given = data[name];
  const start = process.hrtime.bigint();
  for (let turn = 0; turn < n; turn += 1) call(given);
  return { seconds: Number(process.hrtime.bigint() - start) / 1e9 };
}

/** An MLS message of the gateway; op 4 begins, with the ids of group and user. */
function group(op, payload) {
  const session = encryption.session;
  if (op === 4) {
    const [channel, user] = [payload.readBigUInt64BE(0), payload.readBigUInt64BE(8)];
    encryption.session = new davey.DAVESession(1, String(user), String(channel));
  } else if (op === 25) {
    session.setExternalSender(payload);
    return [[26, session.getSerializedKeyPackage()]];
  } else if (op === 27) {
    const { commit, welcome } = session.processProposals(payload[0], payload.subarray(1));
    return commit ? [[28, welcome ? Buffer.concat([commit, welcome]) : commit]] : [];
  } else if (op === 29) {
    session.processCommit(payload.subarray(2));
  } else {
    session.processWelcome(payload.subarray(2));
  }
  return [];
}

function answer(asked) {
  if ('run' in asked) return run(asked.run, asked.n);
  const given = Buffer.from(asked.data, 'hex');
  if ('check' in asked) {
    data[asked.check] = given;
    const result = Buffer.from(calls[asked.check](given)).toString('hex');
    run(asked.check, WARM);
    return { result };
  }
  return { answers: group(asked.op, given).map(([op, made]) => [op, made.toString('hex')]) };
}

const say = (members) => process.stdout.write(`${JSON.stringify(members)}\n`);
const { version } = JSON.parse(
  readFileSync(join(process.argv[2], 'node_modules/@discordjs/voice/package.json')),
);

// XChaCha20's library is loaded in the background; there is no other sign of it.
setTimeout(() => {
  say({ peer: '@discordjs/voice', version, work: Object.keys(calls), lacks: {} });
  createInterface({ input: process.stdin }).on('line', (line) => {
    try {
      say(answer(JSON.parse(line)));
    } catch (error) {
      say({ error: String(error) });
    }
  });
}, 200);
