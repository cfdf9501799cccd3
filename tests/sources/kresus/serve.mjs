// Kresus on 127.0.0.1 with a database of its own. It can be reached once its demonstration bank has told it everything: before that, its
// answers change from one to the next.
//
// usage: node serve.mjs PORT PACKAGES DATA [COMMAND-BEFORE-POSTGRES...]

import { spawn } from 'node:child_process';
import { fstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const [port, packages, data, ...as] = process.argv.slice(2);
const marie = JSON.parse(readFileSync(new URL('../people.json', import.meta.url))).marie;

const children = [];
const run = (command, stdout) => {
  const child = spawn(command[0], command.slice(1), { cwd: data, stdio: ['ignore', stdout, 'inherit'] });
  child.on('exit', (code) => process.exit(code ?? 1));
  children.push(child);
  return child;
};
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit());
// When standard input is a pipe, its end is the end of the parent, whatever ended it.
if (fstatSync(0).isFIFO()) process.stdin.resume().on('end', () => process.exit());

const free = () => new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});
const answers = (path) => new Promise((resolve) => {
  const socket = connect(path).on('connect', () => resolve(true)).on('error', () => resolve(false));
  socket.unref();
});

// The port is only a part of the socket's name: nothing of this database listens on the network.
run([...as, 'postgres', '-D', 'db', '-k', data, '-p', '5432', '-c', 'listen_addresses=', '-c', 'fsync=off'], 'inherit');
while (!await answers(`${data}/.s.PGSQL.5432`)) await new Promise((resolve) => setTimeout(resolve, 50));

const inner = await free();
mkdirSync(`${data}/kresus`);
writeFileSync(`${data}/config.ini`, `[kresus]
datadir=${data}/kresus
host=127.0.0.1
port=${inner}
python_exec=${fileURLToPath(new URL('woob', import.meta.url))}
salt=0123456789abcdef0123456789abcdef
force_demo_mode=true
auth=${marie.username}:${marie.password}
[db]
type=postgres
host=${data}
port=5432
username=kresus
password=kresus
name=postgres
`, { mode: 0o600 });
const kresus = run([process.execPath, `${packages}/node_modules/kresus/bin/kresus.js`, '--config', `${data}/config.ini`], 'pipe');
createInterface(kresus.stdout).on('line', (line) => {
  console.log(line);
  if (!line.includes('Server is ready')) return;
  createServer((from) => {
    const to = connect(inner, '127.0.0.1');
    from.on('error', () => to.destroy()).pipe(to).on('error', () => from.destroy()).pipe(from);
  }).listen(Number(port), '127.0.0.1');
});
