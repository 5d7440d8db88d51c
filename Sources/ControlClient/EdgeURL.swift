import ConfigurationFile

/// Where an edge's API is: `https://edge.example.com`, with a port unless it is 443.
package struct EdgeURL: Sendable, Hashable, CustomStringConvertible {
    /// Lower case; a name, or an address.
    package let host: String
    package let port: Int

    /// Why a text is no edge's URL.
    package struct Malformed: Error, Equatable, CustomStringConvertible {
        /// A sentence for a person.
        package let description: String
    }

    /// Reads `https://HOST[:PORT]`, or the same without the scheme; a slash at the end is fine.
    ///
    /// - Throws: why it is none: `http://` above all, since a token would cross the network in the
    ///   clear.
    package init(_ text: String) throws(Malformed) {
        var rest = Substring(text)
        if let scheme = text.firstRange(of: "://") {
            let name = text[..<scheme.lowerBound].lowercased()
            guard name != "http" else {
                throw Malformed(
                    description:
                        "\(text) would send your login in the clear: an edge is spoken to over "
                        + "https:// only."
                )
            }
            guard name == "https" else {
                throw Malformed(description: "\(text) is not an https:// URL.")
            }
            rest = text[scheme.upperBound...]
        }
        if rest.hasSuffix("/") { rest.removeLast() }
        guard !rest.contains("@") else {
            throw Malformed(description: "An edge's URL has no user name in it.")
        }
        guard let address = try? HostPort(String(rest), defaultPort: 443), !address.host.isEmpty,
            address.port != 0
        else {
            throw Malformed(
                description: "\(text) is not an edge's URL, such as https://edge.example.com."
            )
        }
        self.host = address.host.lowercased()
        self.port = address.port
    }

    /// `HOST`, or `HOST:PORT`; what a Host field says.
    var authority: String {
        let text = HostPort(host: self.host, port: self.port).description
        return self.port == 443 ? String(text.dropLast(4)) : text
    }

    package var description: String { "https://\(self.authority)" }
}
