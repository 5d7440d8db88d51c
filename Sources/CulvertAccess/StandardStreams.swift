internal import Glibc
package import NIOCore
internal import NIOPosix

/// Standard input and output as the local end of a connection: what SSH's `ProxyCommand` talks to.
package enum StandardStreams {
    /// Carries them over one WebSocket.
    ///
    /// Returns when both directions have ended, each by itself: all that the other side sent was written,
    /// and all that was read was taken. Input may be a file or a terminal, too: what is no pipe or socket
    /// is copied by a thread through one.
    ///
    /// - Throws: `AccessError`.
    package static func carry(
        to dialer: AccessDialer,
        on eventLoop: any EventLoop
    ) async throws(AccessError) {
        let input = CopiedDescriptor(input: STDIN_FILENO)
        let output = CopiedDescriptor(output: STDOUT_FILENO)
        guard let input, let output else {
            throw .failed("no pipe: \(String(cString: strerror(errno)))")
        }
        defer {
            input.restore()
            output.restore()
        }
        do {
            try await self.carry(input, output, dialer, eventLoop)
        } catch let error as AccessError {
            await output.finish()
            throw error
        } catch {
            throw .failed("standard input or output cannot be used: \(error)")
        }
        await output.finish()
    }

    private static func carry(
        _ input: CopiedDescriptor,
        _ output: CopiedDescriptor,
        _ dialer: AccessDialer,
        _ eventLoop: any EventLoop
    ) async throws {
        let ended = eventLoop.makePromise(of: Void.self)
        let bootstrap = NIOPipeBootstrap(group: eventLoop)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let local = LocalEnd(
                        opened: { dialer.carry($0, on: channel.eventLoop).cascade(to: ended) },
                        outputEnded: { output.endOutput() }
                    )
                    try channel.pipeline.syncOperations.addHandler(local)
                }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.takingOwnershipOfDescriptors(
                input: input.end,
                output: output.end
            ).get()
        } catch {
            ended.fail(error)
            throw error
        }
        try await ended.futureResult.get()
        try? await channel.close()
    }
}
