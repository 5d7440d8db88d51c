package import HTTPSemantics

/// One rule: the requests it takes and where they go.
package struct IngressRule: Sendable, Equatable {
    /// nil takes every host.
    package var hostname: HostPattern?
    /// nil takes every path.
    package var path: PathPattern?
    /// What its requests are sent to, or answered by.
    package var service: OriginService
    /// The service as the file has it.
    package var serviceText: String
    /// How the service is spoken to; what the file says for all rules is already part of it.
    package var originRequest: OriginOptions

    /// A rule whose service is written as its description, until ``serviceText`` is set.
    package init(
        hostname: HostPattern? = nil,
        path: PathPattern? = nil,
        service: OriginService,
        originRequest: OriginOptions = OriginOptions()
    ) {
        self.hostname = hostname
        self.path = path
        self.service = service
        self.serviceText = service.description
        self.originRequest = originRequest
    }

    /// Whether a visitor chooses where connections are made to, and nothing bounds it.
    var isUnboundedBastion: Bool {
        self.service == .bastion && self.originRequest.ipRules.isEmpty
    }

    /// The rule as `ingress rule` prints it, a line for each part.
    package var multiLineDescription: String {
        var lines: [String] = []
        if let hostname { lines.append("\thostname: \(hostname)") }
        if let path { lines.append("\tpath: \(path)") }
        lines.append("\tservice: \(self.serviceText)")
        return lines.joined(separator: "\n")
    }
}

/// A tunnel's rules in order; the first that takes a request has it. Immutable, so shared freely.
package struct IngressRules: Sendable, Equatable {
    /// At least one; only the last, and always the last, takes everything.
    package let rules: [IngressRule]
    private let needsPath: Bool
    private let catchAll: IngressRule

    /// A single rule that takes everything.
    package init(service: OriginService, originRequest: OriginOptions = OriginOptions()) {
        self.init([], catchAll: IngressRule(service: service, originRequest: originRequest))
    }

    /// Rules in order, and what takes the rest; the hostname and path of that do not count.
    package init(_ rules: [IngressRule], catchAll: IngressRule) {
        self.rules = rules + [catchAll]
        self.catchAll = catchAll
        self.needsPath = rules.contains { $0.path != nil }
    }

    /// The first rule that takes a request, and its number from 0.
    ///
    /// A host of nil is none that could be normalised: only rules for every host take such a request.
    /// `path` is the request target; what follows `?` does not count, and escapes are decoded once, as
    /// cloudflared does.
    package func match(
        host: NormalizedHost?,
        path: String
    ) -> (index: Int, rule: IngressRule) {
        let path = self.needsPath ? decoded(path) : path
        for (index, rule) in self.rules.dropLast().enumerated() {
            if let hostname = rule.hostname {
                guard let host, hostname.match(host) != nil else { continue }
            }
            if let pattern = rule.path, !pattern.matches(path) { continue }
            return (index, rule)
        }
        return (self.rules.count - 1, self.catchAll)
    }

    /// The same for an authority, `host` or `host:port`, in whatever spelling.
    package func match(host: String, path: String) -> (index: Int, rule: IngressRule) {
        self.match(host: try? NormalizedAuthority(host).host, path: path)
    }
}

/// The path of a request target with its `%XX` decoded once; a malformed escape stays as it is.
private func decoded(_ target: String) -> String {
    let bytes = target.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
    guard bytes.contains(UInt8(ascii: "%")) else { return String(Substring(bytes)) }
    var result: [UInt8] = []
    var index = bytes.startIndex
    while index < bytes.endIndex {
        let byte = bytes[index]
        let rest = bytes[index...].prefix(3)
        index = bytes.index(after: index)
        let digits = rest.dropFirst().compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        if byte == UInt8(ascii: "%"), digits.count == 2 {
            result.append(UInt8(digits[0] * 16 + digits[1]))
            index = rest.endIndex
        } else {
            result.append(byte)
        }
    }
    return String(decoding: result, as: UTF8.self)
}
