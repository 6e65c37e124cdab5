/* One payload body: the first byte of the input is its type, so that the engine need not build a message around it. */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/wire_payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	if (n > 0)
		fuzz_wire_payload(input[0], span_of(input + 1, n - 1));
	return 0;
}
