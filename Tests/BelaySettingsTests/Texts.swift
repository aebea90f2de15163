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

/// A file that sets everything that can be set.
let fullFile = """
    workers: 2
    pin-workers: true
    state-directory: /var/lib/belay
    listeners:
      - ":8080"
      - address: "[::1]:8443"
        name: inner
    trusted-proxies: [10.0.0.0/8, "::1"]
    routes:
      - match: { host: api.example.com, path: /v1/ }
        pool: api
      - name: wild
        match:
          host: "*.Example.com"
          methods: [GET, HEAD]
        pool: shop
      - pool: shop
    pools:
      api:
        balance: least-time
        servers: [10.0.0.21:9000, "[2001:db8::1]:9000"]
        connect-timeout: 500ms
      shop:
        balance: url-hash
        servers:
          - { name: shop1, address: Shop1.internal:3000, weight: 2 }
          - { name: shop2, address: 10.0.0.12:3000, state: draining, max-connections: 200 }
        retries: 3
        load-bound: 1.5
        failures: { count: 3, window: 5s, eject: 2s, eject-max: 1m, eject-share: 30% }
        keep: { idle-connections: 8, idle: 10s }
        persistence:
          cookie:
            name: __Host-shop
            secure: always
            same-site: none
            idle: off
            lifetime: 1d
    limits:
      connections: 5000
      connections-per-client: 100
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
    headers: { x-forwarded: off, forwarded: on, via: pseudonym }
    error-pages: /etc/belay/pages
    log: { access: json, access-to: /var/log/belay.log, level: debug }
    keys:
      ring: ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
    admin: { address: "127.0.0.1:9901" }

    """
