import type { SecureContextOptions, TlsOptions } from 'node:tls';

/** The node:tls handshakes that a Sallyport session is compared with. Certificates: ECDSA P-256, but RSA-2048 where the suite names it. */
export interface TlsVariant {
  readonly name: string;
  readonly certificate: 'ec' | 'rsa';
  readonly options: SecureContextOptions & Pick<TlsOptions, 'ecdhCurve'>;
}

const tls13 = (name: string, group: string): TlsVariant => ({
  name,
  certificate: 'ec',
  options: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ecdhCurve: group },
});

export const TLS_VARIANTS: readonly TlsVariant[] = [
  tls13('TLS 1.3 ffdhe2048', 'ffdhe2048'),
  tls13('TLS 1.3 ffdhe3072', 'ffdhe3072'),
  tls13('TLS 1.3 ffdhe4096', 'ffdhe4096'),
  tls13('TLS 1.3 X25519', 'X25519'),
  tls13('TLS 1.3 X25519MLKEM768', 'X25519MLKEM768'),
  {
    name: 'TLS 1.2 DHE-RSA-2048',
    certificate: 'rsa',
    options: {
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
      ciphers: 'DHE-RSA-AES256-GCM-SHA384',
      dhparam: 'auto',
    },
  },
];

export function variantNamed(name: string): TlsVariant {
  const variant = TLS_VARIANTS.find((each) => each.name === name);
  if (variant === undefined) throw new Error(`no TLS variant is named ${name}`);
  return variant;
}
