// An OpenID-certified authorisation server on loopback, strict about time. Prints its issuer, and ends with its input.
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const configuration = {
  clients: [
    {
      client_id: 'native-app',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
      redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
    },
  ],
  clockTolerance: 0,
  features: {
    devInteractions: { enabled: true },
    revocation: { enabled: true },
    deviceFlow: {
      enabled: true,
      // The package's own page shows the form without a text; a visitor of tests needs no more.
      userCodeConfirmSource: async (ctx, form) => { ctx.body = form; },
    },
  },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', new Provider(issuer, configuration).callback());
  process.stdout.write(`${issuer}\n`);
});
// Whoever started us holds the other end of the pipe: when it closes, even after a crash, nobody needs us.
process.stdin.on('end', () => process.exit(0)).resume();
