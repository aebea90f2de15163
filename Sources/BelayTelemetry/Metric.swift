/// A metric as operators see it: the one place where each is declared.
package struct Metric: Sendable {
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    package let kind: Kind
    package let name: String
    package let labels: [String]
    /// One sentence for the operator; stands behind `# HELP`.
    package let help: String

    private init(_ kind: Kind, _ name: String, _ labels: [String] = [], help: String) {
        self.kind = kind
        self.name = name
        self.labels = labels
        self.help = help
    }
}

extension Metric {
    // MARK: The process

    static let buildInfo = Metric(
        .gauge,
        "belay_build_info",
        ["version"],
        help: "Always 1; the label says which Belay this is."
    )
    static let processStartTime = Metric(
        .gauge,
        "belay_process_start_time_seconds",
        help: "When the process started, in seconds since 1970."
    )
    static let processUptime = Metric(
        .gauge,
        "belay_process_uptime_seconds",
        help: "For how long the process has been running."
    )
    static let workers = Metric(
        .gauge,
        "belay_workers",
        help: "Worker threads that carry traffic."
    )
    static let keyRingKeys = Metric(
        .gauge,
        "belay_key_ring_keys",
        help: "Keys that binding cookies may be sealed with, the current one included."
    )
    static let bufferBlocksInUse = Metric(
        .gauge,
        "belay_buffer_blocks_in_use",
        help: "Blocks of memory that hold bytes on their way."
    )
    static let logLinesWritten = Metric(
        .counter,
        "belay_log_lines_written_total",
        help: "Lines of the access log that were written."
    )
    static let logLinesDropped = Metric(
        .counter,
        "belay_log_lines_dropped_total",
        help: "Lines of the access log that were lost: the target failed or was too slow."
    )
    static let reloads = Metric(
        .counter,
        "belay_reloads_total",
        ["result"],
        help: "Reloads of the settings, by whether they were taken."
    )
    static let reloadSuccess = Metric(
        .gauge,
        "belay_config_last_reload_success_timestamp_seconds",
        help: "When settings were taken last, at the start or later, in seconds since 1970."
    )
    static let certificateExpiry = Metric(
        .gauge,
        "belay_tls_certificate_expiry_timestamp_seconds",
        ["listener", "certificate"],
        help: "When the certificate expires, in seconds since 1970."
    )
    static let certificateReloadFailures = Metric(
        .counter,
        "belay_tls_certificate_reload_failures_total",
        ["listener"],
        help: "How often reading the listener's certificates again failed; the old ones go on."
    )

    // MARK: Clients

    static let connectionsAccepted = Metric(
        .counter,
        "belay_connections_accepted_total",
        help: "Connections of clients that were accepted."
    )
    static let connectionsClosed = Metric(
        .counter,
        "belay_connections_closed_total",
        help: "Connections of clients that were closed, by whichever side."
    )
    static let connectionsOpen = Metric(
        .gauge,
        "belay_connections_open",
        help: "Connections of clients that are open."
    )
    static let connectionsRefused = Metric(
        .counter,
        "belay_connections_refused_total",
        ["reason"],
        help: "Connections of clients that were closed at once, by the reason."
    )
    static let proxyHeaders = Metric(
        .counter,
        "belay_proxy_headers_total",
        ["result"],
        help: """
            Connections of clients on which a PROXY protocol header may stand, by what it was \
            worth.
            """
    )
    static let tlsHandshakes = Metric(
        .counter,
        "belay_tls_handshakes_total",
        help: "TLS handshakes with clients that succeeded."
    )
    static let tlsResumptions = Metric(
        .counter,
        "belay_tls_resumptions_total",
        help: "TLS handshakes with clients that resumed an earlier session."
    )
    static let tlsHandshakeFailures = Metric(
        .counter,
        "belay_tls_handshake_failures_total",
        ["reason"],
        help: "TLS handshakes with clients that failed, by the reason."
    )
    static let http2ConnectionsOpened = Metric(
        .counter,
        "belay_http2_connections_opened_total",
        help: "Connections of clients that began to speak HTTP/2."
    )
    static let http2ConnectionsOpen = Metric(
        .gauge,
        "belay_http2_connections_open",
        help: "Connections of clients that are open and speak HTTP/2."
    )
    static let http2StreamsReset = Metric(
        .counter,
        "belay_http2_streams_reset_total",
        help: "Streams of clients that Belay reset: what came on them was no proper request."
    )
    static let http2Streams = Metric(
        .counter,
        "belay_http2_streams_total",
        help: "Requests of clients that came over HTTP/2."
    )
    static let http2Faults = Metric(
        .counter,
        "belay_http2_faults_total",
        ["reason"],
        help: "HTTP/2 connections that Belay ended because of what the client sent, by the reason."
    )
    static let clientReceivedBytes = Metric(
        .counter,
        "belay_client_received_bytes_total",
        help: "Bytes of requests received from clients, counted when the exchange ends."
    )
    static let clientSentBytes = Metric(
        .counter,
        "belay_client_sent_bytes_total",
        help: "Bytes of answers sent to clients, counted when the exchange ends."
    )
    static let splicedBytes = Metric(
        .counter,
        "belay_spliced_bytes_total",
        help: "Bytes that the kernel moved between sockets without Belay seeing them."
    )
    static let tunnelsOpened = Metric(
        .counter,
        "belay_tunnels_opened_total",
        help: "Connections that became tunnels, such as WebSockets."
    )
    static let tunnelsOpen = Metric(
        .gauge,
        "belay_tunnels_open",
        help: "Tunnels that are open."
    )
    static let tunnelsClosed = Metric(
        .counter,
        "belay_tunnels_closed_total",
        ["reason"],
        help: "Tunnels that were closed, by who or what closed them."
    )
    static let tunnelsRefused = Metric(
        .counter,
        "belay_tunnels_refused_total",
        ["reason"],
        help: "Tunnels that Belay refused to open, by the reason."
    )
    static let messagesRefused = Metric(
        .counter,
        "belay_messages_refused_total",
        ["side", "reason"],
        help: """
            Messages that were refused as improper: requests of the side client, answers \
            of the side server.
            """
    )
    static let timeouts = Metric(
        .counter,
        "belay_timeouts_total",
        ["kind"],
        help: "Limits of time that were reached, by the limit."
    )

    // MARK: Exchanges

    static let exchanges = Metric(
        .counter,
        "belay_exchanges_total",
        ["ending"],
        help: "Exchanges that ended, by how they ended."
    )
    static let ownAnswers = Metric(
        .counter,
        "belay_own_answers_total",
        ["status", "ending"],
        help: "Answers that Belay wrote itself."
    )
    static let routeExchanges = Metric(
        .counter,
        "belay_route_exchanges_total",
        ["route"],
        help: "Exchanges that ended, by the route that they took."
    )
    static let exchangeDuration = Metric(
        .histogram,
        "belay_exchange_duration_seconds",
        ["pool"],
        help: "From the first byte of a request to the end of its exchange."
    )
    static let exchangeFirstByte = Metric(
        .histogram,
        "belay_exchange_first_byte_seconds",
        ["pool"],
        help: "From the whole head of a request to the first byte of the server's answer."
    )
    static let exchangeConnect = Metric(
        .histogram,
        "belay_exchange_connect_seconds",
        ["pool"],
        help: "How long servers took to accept connections."
    )
    static let persistenceVerdicts = Metric(
        .counter,
        "belay_persistence_verdicts_total",
        ["pool", "verdict"],
        help: "What the bindings that clients presented were worth."
    )
    static let bindingsCreated = Metric(
        .counter,
        "belay_bindings_created_total",
        ["pool"],
        help: "Answers that bound their client to a server."
    )
    static let bindingsRenewed = Metric(
        .counter,
        "belay_bindings_renewed_total",
        ["pool"],
        help: "Answers that renewed their client's binding."
    )
    static let bindingsMoved = Metric(
        .counter,
        "belay_bindings_moved_total",
        ["pool", "reason"],
        help: "Clients that came to another server than they were bound to, by the reason."
    )
    static let requestsQueued = Metric(
        .counter,
        "belay_requests_queued_total",
        help: "Requests that waited for a server with room."
    )
    static let serverStalls = Metric(
        .counter,
        "belay_server_stalls_total",
        help: "How often nothing was heard of a server while requests waited there."
    )

    // MARK: Servers

    static let serverExchanges = Metric(
        .counter,
        "belay_server_exchanges_total",
        ["pool", "server", "class"],
        help: """
            Exchanges that ended at the server, by the class of its answer; none where it \
            gave no answer, tcp for tunnels of TCP.
            """
    )
    static let serverReceivedBytes = Metric(
        .counter,
        "belay_server_received_bytes_total",
        ["pool", "server"],
        help: "Bytes of answers received from the server, counted when the exchange ends."
    )
    static let serverSentBytes = Metric(
        .counter,
        "belay_server_sent_bytes_total",
        ["pool", "server"],
        help: "Bytes of requests sent to the server, counted when the exchange ends."
    )
    static let serverConnectionsOpened = Metric(
        .counter,
        "belay_server_connections_opened_total",
        ["pool", "server"],
        help: "Exchanges that opened a new connection to the server."
    )
    static let serverConnectionsReused = Metric(
        .counter,
        "belay_server_connections_reused_total",
        ["pool", "server"],
        help: "Exchanges that used a connection to the server that was open already."
    )
    static let serverConnectionsIdle = Metric(
        .gauge,
        "belay_server_connections_idle",
        help: "Open connections to servers that wait for the next exchange."
    )
    static let serverHandshakes = Metric(
        .counter,
        "belay_server_tls_handshakes_total",
        help: "TLS handshakes with servers that succeeded."
    )
    static let serverConnectFailures = Metric(
        .counter,
        "belay_server_connect_failures_total",
        ["pool", "server"],
        help: "Connections that the server refused, or did not accept in time."
    )
    static let serverEjections = Metric(
        .counter,
        "belay_server_ejections_total",
        ["pool", "server"],
        help: "How often the server was ejected because it failed."
    )
    static let serverReturns = Metric(
        .counter,
        "belay_server_returns_total",
        ["pool", "server"],
        help: "How often the server was let in again after an ejection."
    )
    static let serverRetries = Metric(
        .counter,
        "belay_server_retries_total",
        ["pool", "server"],
        help: "Requests that failed at the server and were sent again."
    )
    static let serverRedispatches = Metric(
        .counter,
        "belay_server_redispatches_total",
        ["pool", "server"],
        help: """
            Exchanges that came to the server because the one their client was bound to is \
            gone.
            """
    )
    static let serverOpenRequests = Metric(
        .gauge,
        "belay_server_open_requests",
        ["pool", "server"],
        help: "Requests that the server has not finished answering."
    )
    static let serverHealth = Metric(
        .gauge,
        "belay_server_health",
        ["pool", "server", "health"],
        help: "1 for what checks and live traffic found about the server, 0 for the rest."
    )
    static let serverAdminState = Metric(
        .gauge,
        "belay_server_admin_state",
        ["pool", "server", "state"],
        help: "1 for what a person set for the server, 0 for the rest."
    )
    static let serverWeight = Metric(
        .gauge,
        "belay_server_weight",
        ["pool", "server"],
        help: "The server's share of new clients, relative to its pool's others."
    )

    /// Every metric, in the order of the page.
    package static let all: [Metric] = [
        .buildInfo, .processStartTime, .processUptime, .workers, .keyRingKeys, .bufferBlocksInUse,
        .logLinesWritten, .logLinesDropped, .reloads, .reloadSuccess, .certificateExpiry,
        .certificateReloadFailures,
        .connectionsAccepted, .connectionsClosed, .connectionsOpen, .connectionsRefused,
        .proxyHeaders, .tlsHandshakes, .tlsResumptions, .tlsHandshakeFailures,
        .http2ConnectionsOpened, .http2ConnectionsOpen, .http2Streams, .http2StreamsReset,
        .http2Faults,
        .clientReceivedBytes, .clientSentBytes, .splicedBytes, .tunnelsOpened, .tunnelsOpen,
        .tunnelsClosed, .tunnelsRefused, .messagesRefused, .timeouts,
        .exchanges, .ownAnswers, .routeExchanges, .exchangeDuration, .exchangeFirstByte,
        .exchangeConnect, .persistenceVerdicts, .bindingsCreated, .bindingsRenewed, .bindingsMoved,
        .requestsQueued, .serverStalls, .serverExchanges, .serverReceivedBytes, .serverSentBytes,
        .serverConnectionsOpened,
        .serverConnectionsReused, .serverConnectionsIdle, .serverHandshakes,
        .serverConnectFailures, .serverEjections, .serverReturns, .serverRetries,
        .serverRedispatches, .serverOpenRequests, .serverHealth, .serverAdminState, .serverWeight,
    ]
}
