package import Foundation

/// Something that happened to a tunnel: a line of `GET /tunnels/TUNNEL/events`.
package struct EventDocument: Codable, Sendable, Equatable {
    /// `request`; or of a connector `connected`, `lost` (its link is gone, and may come back), `back`,
    /// `draining`, `gone`, `configuration`, `unhealthy` and `healthy`. A reader meets others as text.
    package var kind: String
    package var at: Date
    /// The session's id; absent of a request.
    package var connector: String?
    /// What there is to say besides, for a person.
    package var detail: String?
    /// Of a request; absent of all else.
    package var request: RequestDocument?

    package init(
        _ kind: String,
        at: Date,
        connector: String? = nil,
        detail: String? = nil,
        request: RequestDocument? = nil
    ) {
        self.kind = kind
        self.at = at
        self.connector = connector
        self.detail = detail
        self.request = request
    }

    /// A request that is over, as the edge saw it.
    package struct RequestDocument: Codable, Sendable, Equatable {
        /// The `X-Request-Id` that the origin got.
        package var id: String
        package var method: String
        package var host: String
        /// With its query.
        package var path: String
        /// 0 when the visitor left before there was an answer.
        package var status: Int
        /// The `Culvert-Error` code; absent when nothing failed.
        package var error: String?
        /// Of the visitor, or of the proxy that it came through.
        package var address: String
        package var milliseconds: Int
        /// Of the body, from the visitor.
        package var bytesIn: Int
        /// Of the body, to the visitor.
        package var bytesOut: Int

        package init(
            id: String,
            method: String,
            host: String,
            path: String,
            status: Int,
            error: String?,
            address: String,
            milliseconds: Int,
            bytesIn: Int,
            bytesOut: Int
        ) {
            self.id = id
            self.method = method
            self.host = host
            self.path = path
            self.status = status
            self.error = error
            self.address = address
            self.milliseconds = milliseconds
            self.bytesIn = bytesIn
            self.bytesOut = bytesOut
        }
    }
}
