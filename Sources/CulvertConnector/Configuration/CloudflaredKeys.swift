/// What a cloudflared configuration may have at its top that means nothing here.
enum CloudflaredKeys {
    /// The keys, and why each has no meaning, as a notice says it.
    static let ignored: [String: String] = {
        var reasons: [String: String] = [:]
        for (reason, keys) in groups {
            for key in keys { reasons[key] = reason }
        }
        return reasons
    }()

    private static let groups: [(reason: String, keys: [String])] = [
        ("Culvert always uses WebSocket over TLS on port 443", ["protocol"]),
        ("Culvert does not update itself", ["no-autoupdate", "autoupdate-freq", "is-autoupdated"]),
        ("Culvert never gives up connecting", ["retries", "max-edge-addr-retries"]),
        (
            "`edge` names the one edge there is",
            ["region", "edge-ip-version", "edge-bind-address", "api-url", "management-hostname"]
        ),
        ("TLS chooses the key exchange", ["post-quantum"]),
        ("connectors are told apart by their sessions", ["tag", "label", "name", "lb-pool", "id"]),
        ("the service manager knows the process", ["pidfile", "stdin-control"]),
        ("logs go to standard error", ["logfile", "log-directory", "output", "log-level"]),
        ("there is one log level, `loglevel`", ["transport-loglevel", "proto-loglevel"]),
        ("Culvert has no such file", ["trace-output"]),
        ("private networks are not carried", ["warp-routing", "icmpv4-src", "icmpv6-src"]),
        ("the edge decides which hostnames a tunnel has", ["hostname", "service-op-ip"]),
        ("the credentials file is all that is needed", ["origincert", "api-key", "api-email"]),
        ("use `ca-file` for the edge's certificate", ["cacert", "api-ca-key"]),
        ("Culvert has no DNS proxy", dnsProxy),
        ("Culvert has no SSH server", sshServer),
        ("Culvert starts no proxy of its own on this machine", ["proxy-address", "proxy-port"]),
        ("Culvert decides this itself", tuning),
    ]

    private static let dnsProxy = [
        "proxy-dns", "proxy-dns-address", "proxy-dns-port", "proxy-dns-upstream",
        "proxy-dns-bootstrap", "proxy-dns-max-upstream-conns", "dns-resolver-addrs",
    ]

    private static let sshServer = [
        "ssh-server", "local-ssh-port", "ssh-idle-timeout", "ssh-max-timeout", "bucket-name",
        "region-name", "secret-id", "access-key-id", "session-token", "s3-url-host",
        "host-key-path",
    ]

    private static let tuning = [
        "ha-connections", "heartbeat-interval", "heartbeat-count", "rpc-timeout",
        "write-stream-timeout", "quic-disable-pmtu-discovery",
        "quic-connection-level-flow-control-limit", "quic-stream-level-flow-control-limit",
        "max-active-flows", "features", "compression-quality", "use-reconnect-token",
        "dial-edge-timeout", "ui", "quick-service", "max-fetch-size", "management-diagnostics",
        "metrics-update-freq", "proxy-connection-timeout", "proxy-expect-continue-timeout",
        "no-prechecks", "force", "auto-close",
    ]
}
