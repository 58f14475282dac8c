// A Greeter on @grpc/grpc-js: node greeter.js WORK
//
// It prints "listening on HOST:PORT" and, each second and when SIGTERM ends it,
// "calls N loop_ns N cpu_ns N": the CPU time of the process while it was in the
// loops of WORK steps, and in all.  NODE_PATH says where the modules are.
'use strict';
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const {helloworld} = grpc.loadPackageDefinition(loader.loadSync(
  path.join(__dirname, '..', '..', 'proto', 'helloworld.proto')));
const work = Number(process.argv[2]);
let calls = 0, loop_us = 0;

function cpu_us() {
  const {user, system} = process.cpuUsage();
  return user + system;
}

function spin(n) {
  let sum = 0;
  for (let i = 0; i < n; i++)
    sum = (sum + Math.imul(i, i)) | 0;
  return sum;
}

function sayHello(call, reply) {
  const began = cpu_us();
  const sum = spin(work);
  loop_us += cpu_us() - began;
  calls++;
  reply(null, {message: `Hello ${call.request.name}! (${sum})`});
}

function print_sums() {
  console.log('calls %d loop_ns %d cpu_ns %d', calls, loop_us * 1000,
    cpu_us() * 1000);
}

const server = new grpc.Server();
server.addService(helloworld.Greeter.service, {sayHello});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(),
  (e, port) => {
    if (e) throw e;
    console.log('listening on 127.0.0.1:%d', port);
  });
setInterval(print_sums, 1000);
process.on('SIGTERM', () => {
  print_sums();
  process.exit(0);
});
