import BelaySettings
import Foundation

/// The problems of a settings file, as they are printed, without the file's name.
func problems(of text: String) -> [String] {
    SettingsFile.load(text: text, file: "f").1.map { String("\($0)".dropFirst(2)) }
}

/// The problems of a file with one pool and these lines. Line 1 is the first of them.
func problems(beside text: String) -> [String] {
    problems(of: text + "\npools:\n  shop:\n    servers: [a:1]\n")
}

/// The problems of a pool that has a server and these settings, on line 4 and indented by four.
func problems(inPool text: String) -> [String] {
    problems(of: "pools:\n  shop:\n    servers: [a:1]\n    " + text + "\n")
}

/// A page of the manual.
func documentation(_ name: String) throws -> String {
    let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    let file = directory.appendingPathComponent("Documentation").appendingPathComponent(name)
    return try String(contentsOf: file, encoding: .utf8)
}

/// A file that sets everything that can be set, and is not warned of.
let fullFile = """
    workers: 2
    pin-workers: true
    state-directory: /var/lib/belay
    listeners:
      - ":8080"
      - address: "[::1]:8443"
        name: inner
        protocols: [http/1.1]
        proxy-protocol: optional
        hsts: { max-age: 730d, include-subdomains: true, preload: true }
        tls:
          certificates:
            - { certificate: tls/rsa.pem, key: tls/rsa.key, ocsp: tls/rsa.der }
            - { certificate: tls/ec.pem, key: tls/ec.pem }
          unknown-names: refuse
          client-certificates: { mode: optional, authorities: tls/staff.pem, depth: 1 }
          minimum: 1.3
          ciphers: ECDHE+AESGCM:!SHA1
          cipher-suites: TLS_AES_128_GCM_SHA256
          groups: P-256
          tickets: off
          ticket-rotation: 1h
      - { address: ":80", redirect-to-https: 8443 }
      - address: ":5432"
        kind: tcp
        proxy-protocol: required
        pool: db
        sni: [{ host: "*.db.example.com", pool: api }, { host: Db.Example.com, pool: db }]
    trusted-proxies: [10.0.0.0/8, "::1"]
    routes:
      - match: { host: api.example.com, path: /v1/ }
        pool: api
      - name: wild
        match:
          host: "*.Example.com"
          methods: [GET, HEAD]
        pool: shop
        origins: ["https://*.Example.com", "HTTPS://example.com:443", "http://localhost:3000"]
      - pool: shop
    pools:
      api:
        balance: least-time
        servers: [10.0.0.21:9000, "[2001:db8::1]:9000"]
        connect-timeout: 500ms
      db:
        servers: [10.0.0.31:5432]
        tls:
          authorities: tls/db.pem
          server-name: DB.internal
          certificate: tls/belay.pem
          key: tls/belay.key
          minimum: "1.3"
        proxy-protocol: v2
        proxy-protocol-tlvs: [alpn, authority, crc32c, unique-id, ssl]
        health: { interval: 1s, timeout: 500ms, fall: 2, rise: 5 }
        tunnels-per-server: 300
        persistence: { ways: [tls-session, { source-address: { store: hash } }] }
      grpc:
        servers:
          - { srv: _grpc._tcp.Shop.internal, max-connections: 50 }
          - { dns: shop.internal, port: 50051, weight: 3 }
          - 10.0.0.41:50051
          - { file: servers.txt }
        protocol: h2
        health: { service: shop.Cart, host: shop.internal, port: 50052, fast-interval: 250ms }
        persistence:
          ways:
            - header: { name: Mcp-Session-Id }
            - query: { name: sid, learn: header X-Sid }
            - query: { name: key }
            - jwt: { claim: user, header: X-Token, algorithm: RS256, key-file: keys/jwt.pem }
            - tuple: { fields: 3 }
      shop:
        balance: url-hash
        servers:
          - { name: shop1, address: Shop1.internal:3000, weight: 2, route: node1, generation: 3 }
          - { name: shop2, address: 10.0.0.12:3000, state: draining, max-connections: 200 }
        retries: 3
        load-bound: 1.5
        failures:
          count: 3
          window: 5s
          eject: 2s
          eject-max: 1m
          eject-share: 30%
          statuses: [502-504, 500]
          error-rate: 40%
          latency: 2.5
          interval: 20s
          requests-min: 50
        health:
          path: /healthz?deep=1
          host: Shop.example.com
          method: OPTIONS
          statuses: [200-299, 304]
          body: "all: well"
          agent: { port: 9999, interval: 1s }
          agent-header: X-Server-State
        sessions: shared
        removal: now
        drain-deadline: 1h
        slow-start: off
        newcomers: balance
        stall: 1s
        refused-patience: off
        panic: 25%
        queue: { size: 10, timeout: 1s }
        circuit: { requests: 1000, retry-budget: 10%, retries-min: 5 }
        keep: { idle-connections: 8, idle: 10s }
        persistence:
          ways:
            - cookie:
                name: __Host-shop
                secure: always
                same-site: none
                partitioned: true
                keep: binding
                idle: off
                lifetime: 1d
                set-on: navigation
                preserve: true
            - application-cookie: { name: JSESSIONID, mode: route }
            - application-cookie: { name: sid, mode: prefix, separator: "!" }
            - application-cookie: { name: connect.sid }
            - source-address: { ipv4-prefix: 24, ipv6-prefix: 56 }
          exempt:
            - { path: /static/, method: GET }
            - { suffix: .css }
            - { user-agent: GoogleBot }
          idle: 1h
          lifetime: off
          table: { entries: 5000, file: off }
          return: home
          on-full: reject
          on-failure: reject
          reject-status: 429
          claim: 500ms
    limits:
      connections: 5000
      connections-per-client: 100
      tunnels-per-client: 20
      handshakes-per-client: 30
      handshake-timeout: 3s
      pending-connects: 64
      requests-per-connection: 1000
      head-size: 16KiB
      header-count: 50
      body-size: 1GiB
      head-timeout: 5s
      keep-alive: 30s
      idle: 2m
      connect-timeout: 1s
      shutdown: 10s
      upgrade: 2h
      http2: { streams: 50, resets: 10, control-frames: 1000 }
    resolver: { servers: ["127.0.0.1:8600", "::1"], timeout: 3s, attempts: 1 }
    headers: { x-forwarded: off, forwarded: on, via: pseudonym, client-certificate: off }
    error-pages: /etc/belay/pages
    log: { access: json, access-to: /var/log/belay.log, level: debug }
    keys:
      ring: ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
    admin: { address: "127.0.0.1:9901" }

    """
