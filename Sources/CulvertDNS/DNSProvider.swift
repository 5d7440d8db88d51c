package import ConfigurationFile
package import HTTPSemantics

/// Who makes the DNS records of a zone.
package struct DNSProvider: Sendable, Equatable {
    /// How records get there.
    package enum Method: Sendable, Equatable {
        /// A dynamic update (RFC 2136), sent with nsupdate(1). `server` nil is the zone's primary, as its SOA
        /// record names it; `keyFile` has a TSIG key (RFC 8945), nil sends the update unsigned.
        case nsupdate(server: HostPort?, keyFile: String?)
        /// A program and its first arguments; see ``HookCall``.
        case hook([String])
    }

    /// The zone: where its SOA record is. Names at or below it are this provider's.
    package let zone: NormalizedHost
    /// How records get there.
    package let method: Method
    /// How long resolvers may keep a record, in seconds; 1 to 604,800, by default 300.
    package let ttlSeconds: Int
    /// How long one program may run; 1 s to 10 min, by default 30 s.
    package let timeout: Duration

    package init(
        zone: NormalizedHost,
        method: Method,
        ttlSeconds: Int = 300,
        timeout: Duration = .seconds(30)
    ) {
        self.zone = zone
        self.method = method
        self.ttlSeconds = ttlSeconds
        self.timeout = timeout
    }

    /// Whether a hostname or wildcard is at or below the zone.
    package func covers(_ name: HostPattern) -> Bool {
        switch name.kind {
        case .exact(let host): host == self.zone || host.isBelow(self.zone)
        case .suffix(let host): host == self.zone || host.isBelow(self.zone)
        case .any: false
        }
    }

    /// Whether a name is the zone's own, where no alias can be (RFC 1912 §2.4).
    package func isApex(_ name: HostPattern) -> Bool { name.kind == .exact(self.zone) }
}
