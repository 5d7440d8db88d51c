internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import Hummingbird
internal import NIOCore

/// What happens to a tunnel, as it happens: `GET /tunnels/TUNNEL/events`.
struct TunnelEventRoutes {
    let routes: TunnelRoutes

    func add(to tunnel: APIGroup) {
        tunnel.get("events") { _, context in
            let (identity, tunnel, _) = try await self.routes.find(context)
            guard let events = self.routes.desk.presence.events(of: tunnel.id) else {
                throw APIProblem(.unavailable, "as many watch tunnels of this edge as may")
            }
            return Response(
                status: .ok,
                headers: [.contentType: "application/jsonl", .cacheControl: "no-store"],
                body: ResponseBody { writer in
                    try await self.write(events, of: tunnel.id, for: identity, to: &writer)
                    try await writer.finish(nil)
                }
            )
        }
    }

    /// Ticks after which whoever watches hears that nothing happened.
    private static let quietTicks = 15

    /// A line for each event; an empty one when nothing happened for 15 seconds. At each tick, every second, it is
    /// seen whether whoever watches still may.
    private func write(
        _ events: AsyncStream<EventDocument?>,
        of tunnel: TunnelID,
        for identity: ControlContext.Identity,
        to writer: inout some ResponseBodyWriter
    ) async throws {
        // The head goes out at once: who watches knows that he does.
        try await writer.write(ByteBuffer(string: "\n"))
        var ticks = 0
        for await event in events {
            var line = ByteBuffer()
            if let event {
                ticks = 0
                line.writeBytes(try APICoding.encoder.encode(event))
            } else {
                guard await self.mayWatch(tunnel, identity) else { return }
                ticks += 1
                guard ticks % Self.quietTicks == 0 else { continue }
            }
            line.writeString("\n")
            try await writer.write(line)
        }
    }

    private func mayWatch(_ id: TunnelID, _ identity: ControlContext.Identity) async -> Bool {
        let registry = await self.routes.desk.registry
        let now = self.routes.desk.now()
        guard registry.token(identity.token)?.isGood(at: now) == true,
            let tunnel = registry.tunnel(id),
            let account = registry.account(identity.account.id)
        else { return false }
        return account.role == .admin || tunnel.owner == account.id
    }
}
