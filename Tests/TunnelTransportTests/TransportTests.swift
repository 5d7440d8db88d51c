import Testing

@testable import TunnelTransport

/// All tests of the transport; one at a time, for they count the process's file descriptors.
@Suite(.serialized)
struct TransportTests {}
