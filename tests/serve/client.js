// Calls serve with @grpc/grpc-js, a client that is not ours.
//   node client.js HOST:PORT     prints "ok name" or "FAIL name: why"
// NODE_PATH says where the modules are.
'use strict';
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const {helloworld} = grpc.loadPackageDefinition(loader.loadSync(
  path.join(__dirname, '..', '..', 'proto', 'helloworld.proto')));
const client = new helloworld.Greeter(process.argv[2],
  grpc.credentials.createInsecure(), {'grpc.enable_http_proxy': 0});

const within = ms => ({deadline: Date.now() + ms});

function greets(reply, name) {
  if (!reply.message.startsWith(`Hello ${name}! (request #`))
    throw new Error(`answered ${reply.message}`);
}

const hello = name => new Promise((resolve, reject) =>
  client.sayHello({name}, within(20000),
    (e, reply) => e ? reject(e) : resolve(reply)));

// What a stream said, once it is over; `each` looks at every reply.
const over = (stream, each) => new Promise((resolve, reject) => {
  const got = [];
  stream.on('data', reply => {
    got.push(reply);
    try { each(reply, got.length); } catch (e) { reject(e); }
  });
  stream.on('error', reject);
  stream.on('end', () => resolve(got));
});

// Ends with that code, and no other way.
async function ends(stream, code, each) {
  try {
    await over(stream, each);
  } catch (e) {
    if (e.code === code) return;
    throw e;
  }
  throw new Error('ended well');
}

const cases = {
  'calls, 50 at once': async () => {
    const names = Array.from({length: 50}, (_, i) => `js ${i}`);
    const replies = await Promise.all(names.map(hello));
    replies.forEach((reply, i) => greets(reply, names[i]));
  },
  'server streaming': async () => {
    const got = await over(
      client.sayHelloStreamReply({name: 'many'}, within(20000)),
      reply => greets(reply, 'many'));
    if (got.length < 2) throw new Error(`${got.length} replies`);
  },
  'bidi, a turn at a time': async () => {
    const stream = client.sayHelloBidiStream(within(20000));
    stream.write({name: 'turn 1'});
    const got = await over(stream, (reply, n) => {
      greets(reply, `turn ${n}`);
      if (n < 50) stream.write({name: `turn ${n + 1}`});
      else stream.end();
    });
    if (got.length !== 50) throw new Error(`${got.length} replies`);
  },
  'deadline of a stream': () =>
    ends(client.sayHelloBidiStream(within(300)),
      grpc.status.DEADLINE_EXCEEDED, () => {}),
  'cancelled': () => {
    const stream = client.sayHelloBidiStream(within(20000));
    stream.write({name: 'x'});
    return ends(stream, grpc.status.CANCELLED, () => stream.cancel());
  },
  'a call after all that': async () => greets(await hello('js'), 'js'),
};

(async () => {
  for (const [name, run] of Object.entries(cases)) {
    try {
      await run();
      console.log(`ok   grpc-js ${name}`);
    } catch (e) {
      console.log(`FAIL grpc-js ${name}: ${String(e).replace(/\n/g, ' ')}`);
    }
  }
  client.close();
})();
