// SPDX-License-Identifier: Apache-2.0
// The AWS SDK for JavaScript v3, and npm's aws4 signer, driven from the tests: a request a line on
// standard input, an answer a line on standard output.
//
//   {"client": "sdk" | "aws4", "credentials": {...}, "operation": "Decrypt", "input": {...}}
//   {"output": {...}} or {"error": {"name": ..., "message": ..., "status": ...}}
//
// Bytes are {"$bytes": base64} both ways.
'use strict';
const https = require('https');
const readline = require('readline');
const aws4 = require('aws4');
const kms = require('@aws-sdk/client-kms');

const endpoint = new URL(process.argv[2]);
const region = process.argv[3];

function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$bytes === 'string') return Buffer.from(value.$bytes, 'base64');
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, decode(v)]));
}

function encode(value) {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map(encode);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, encode(v)]));
}

async function sdk({ credentials, operation, input }) {
  const client = new kms.KMSClient({
    endpoint: endpoint.href, region, credentials, maxAttempts: 1,
  });
  try {
    const output = await client.send(new kms[`${operation}Command`](decode(input)));
    delete output.$metadata;
    return { output: encode(output) };
  } catch (error) {
    return {
      error: {
        name: error.name, message: error.message,
        status: error.$metadata && error.$metadata.httpStatusCode,
      },
    };
  } finally {
    client.destroy();
  }
}

// aws4 knows the protocol's headers only: the body is the JSON of the wire, bytes in base64.
function wire(value) {
  if (Array.isArray(value)) return value.map(wire);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$bytes === 'string') return value.$bytes;
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, wire(v)]));
}

function raw({ credentials, operation, input }) {
  const options = aws4.sign({
    service: 'kms', region, method: 'POST', path: '/', host: endpoint.host,
    headers: {
      'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': `TrentService.${operation}`,
    },
    body: JSON.stringify(wire(input)),
  }, credentials);
  return new Promise((resolve) => {
    const request = https.request({
      hostname: endpoint.hostname, port: endpoint.port, path: '/', method: 'POST',
      headers: options.headers,
    }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const body = text === '' ? {} : JSON.parse(text);
        if (response.statusCode === 200) {
          resolve({ output: body });
          return;
        }
        const message = body.message || body.Message || '';
        resolve({ error: { name: body.__type, message, status: response.statusCode } });
      });
    });
    request.on('error', (error) => resolve({ error: { name: error.name, message: error.message } }));
    request.end(options.body);
  });
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const call = JSON.parse(line);
    const answer = await (call.client === 'aws4' ? raw(call) : sdk(call));
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

main();
