/// Whether a message is a WebSocket handshake (RFC 6455 §4), the one upgrade that is passed on.
///
/// Any other `Upgrade` (`h2c`, `TLS/1.0`) is a request for nothing: the request is served as if the
/// field were not there (RFC 9110 §7.8), and `HopByHop` drops it.
package enum WebSocketUpgrade {
    /// Whether a request asks for it: GET, HTTP/1.1, `Connection` names `upgrade`, `Upgrade` is
    /// exactly `websocket`, one key of 16 bytes in base64, one version, no body.
    ///
    /// The version's value is the origin's to judge: it answers 426 with those it has.
    /// - Parameters:
    ///   - method: Case-sensitive.
    ///   - isHTTP11: Whether the request came as HTTP/1.1 exactly.
    ///   - fields: Before `HopByHop` has dropped any.
    /// - Returns: False for any other request: it is served without its upgrade.
    package static func isRequested(method: String, isHTTP11: Bool, fields: HTTPFields) -> Bool {
        guard method == "GET", isHTTP11, fields.single("upgrade")?.isField("websocket") == true,
            fields.listContains("connection", "upgrade"),
            let key = fields.single("sec-websocket-key"), self.isKey(key.utf8),
            let version = fields.single("sec-websocket-version"), !version.isEmpty
        else { return false }
        return fields.storage.allSatisfy { field in
            if field.name.isField("content-length") { return field.value == "0" }
            return !field.name.isField("transfer-encoding")
        }
    }

    /// The same for a request that came through an edge, which passes the upgrade's fields on as
    /// HTTP/1.1 has them.
    package static func isRequested(by head: RequestHead) -> Bool {
        self.isRequested(method: head.method, isHTTP11: true, fields: head.fields)
    }

    /// Whether a 101 answers such a request; the accept value is the visitor's to check.
    package static func isAccepted(by head: ResponseHead) -> Bool {
        head.status == 101 && head.fields.single("upgrade")?.isField("websocket") == true
            && head.fields.listContains("connection", "upgrade")
            && head.fields.single("sec-websocket-accept") != nil
    }

    private static func isKey(_ key: String.UTF8View) -> Bool {
        guard key.count == 24, key.suffix(2).elementsEqual([0x3D, 0x3D]) else { return false }
        return key.dropLast(2).allSatisfy { $0.isASCIIAlphanumeric || $0 == 0x2B || $0 == 0x2F }
    }
}
