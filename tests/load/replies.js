// A Greeter on @grpc/grpc-js that does not answer SayHello.
//   node replies.js              prints "late HOST:PORT", then "ready"
// NODE_PATH says where the modules are.  It ends by itself after two minutes.
'use strict';
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const {helloworld} = grpc.loadPackageDefinition(loader.loadSync(
  path.join(__dirname, '..', '..', 'proto', 'helloworld.proto')));
const server = new grpc.Server();

server.addService(helloworld.Greeter.service, {sayHello() {}});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(),
  (error, port) => {
    if (error) throw error;
    console.log(`late 127.0.0.1:${port}\nready`);
  });
setTimeout(() => process.exit(0), 120000);
