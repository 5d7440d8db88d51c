import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix

/// A page of a server on this machine, such as a connector's metrics.
package enum LocalPage {
    /// Asks for it, without any proxy: at most 5 s, and 1 MiB.
    ///
    /// - Returns: the status and the body.
    /// - Throws: why there is no answer.
    package static func get(_ url: String) async throws -> String {
        var configuration = HTTPClient.Configuration()
        // Otherwise a refused connection is tried again until the time is over.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            configuration: configuration
        )
        do {
            let response = try await client.execute(
                HTTPClientRequest(url: url),
                timeout: .seconds(5)
            )
            let body = try await response.body.collect(upTo: 1 << 20)
            try await client.shutdown()
            return "\(response.status.code)\n\n" + String(buffer: body)
        } catch {
            try? await client.shutdown()
            throw error
        }
    }
}
