// A hello server in JavaScript, and what node asks a kernel for: ADDRESS [stay].
'use strict';
const { execFile } = require('child_process');
const fs = require('fs');
const http = require('http');
const net = require('net');
const { Worker } = require('worker_threads');

const hello = 'hello from node';
const [address, port] = process.argv[2].split(':');
const url = `http://${address}:${port}/`;
const say = (what, is) => console.log(is ? 'ok' : 'FAILED', what);
const get = () => new Promise((right, wrong) => http.get(url, answer => {
    let text = '';
    answer.on('data', part => text += part).on('end', () => right(text));
}).on('error', wrong));
const child = () => new Promise((right, wrong) => execFile('echo', ['child'], (error, out) => error ? wrong(error) : right(out)));
const worker = () => new Promise(right =>
    new Worker('require("worker_threads").parentPort.postMessage("worker")', { eval: true }).on('message', right));
const signal = () => new Promise(right => {
    process.once('SIGUSR2', right);
    process.kill(process.pid, 'SIGUSR2');
});
const local = path => new Promise(right => {
    const server = net.createServer(socket => socket.end('local')).listen(path, () =>
        net.connect(path).on('data', text => server.close(() => right(String(text)))));
});

const server = http.createServer((request, answer) => {
    answer.end(hello);
    if (request.url === '/visited') setTimeout(() => process.exit(0), 1000);
});
server.listen(Number(port), address, async () => {
    if (process.argv[3]) return;
    say('a request', await get() === hello);
    const all = await Promise.all(Array.from({ length: 100 }, get));
    say('100 at once', all.every(text => text === hello));
    await fs.promises.writeFile('/tmp/node-file', 'kept');
    say('a file', fs.readFileSync('/tmp/node-file', 'utf8') === 'kept');
    say('a child', await child() === 'child\n');
    say('a worker', await worker() === 'worker');
    say('a signal', await signal() === 'SIGUSR2');
    say('a local socket', await local('/tmp/node-socket') === 'local');
    process.exit(0);
});
