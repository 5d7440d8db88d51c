package import ControlAPI

extension ControlClient {
    /// What happens to a tunnel from now on, as it happens. Returns when the edge ends it: it stops, or the
    /// login is no longer good.
    ///
    /// `onStart` is called when the edge has agreed, `body` for each event, in order.
    package func events(
        of tunnel: String,
        onStart: () -> Void,
        _ body: (EventDocument) -> Void
    ) async throws(ControlClientError) {
        var hasStarted = false
        try await self.receiveLines(of: ["tunnels", tunnel, "events"]) {
            line throws(ControlClientError) in
            if !hasStarted { onStart() }
            hasStarted = true
            // An empty line says that nothing happened for a while.
            guard !line.isEmpty else { return }
            body(try self.document(Answer(status: 200, body: line)))
        }
    }
}
