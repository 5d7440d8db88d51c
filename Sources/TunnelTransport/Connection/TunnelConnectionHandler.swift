/// The owner of one connection. All calls come in a turn of the transport, never nested in another
/// call to the same connection's handler, and never after `closed`.
package protocol TunnelConnectionHandler: AnyObject {
    /// The upgrade is done: messages may flow.
    func opened(_ connection: TunnelConnection)
    /// A piece of a binary message, in order; the bytes are valid during the call only. Text
    /// frames and messages over `maximumMessageBytes` never arrive here: they end the connection.
    func received(
        _ bytes: UnsafeRawBufferPointer,
        endsMessage: Bool,
        on connection: TunnelConnection
    )
    /// Fills `buffer` with the next binary message and returns its length; 0 for nothing to send
    /// now, and then `TunnelConnection.wantsToWrite` has to be called for the next one. Asked only
    /// while the socket takes data.
    func nextMessage(
        into buffer: UnsafeMutableRawBufferPointer,
        on connection: TunnelConnection
    ) -> Int
    /// The connection is over; exactly once for every handler, also when `opened` never came.
    func closed(_ connection: TunnelConnection, reason: TransportCloseReason)
}
