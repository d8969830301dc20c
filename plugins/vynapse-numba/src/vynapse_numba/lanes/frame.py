# SPDX-License-Identifier: MIT OR Apache-2.0
"""The loops around a kernel's own text, in LLVM's language: shares, blocks, steps, chunks, samples, from outside in."""

FIXED_SLOTS = 5
"""Numbers of the table that every kernel has."""

KERNEL = """{declarations}
define void @kernel(ptr %table) {{
entry:
  %networks = load i64, ptr %table
  %network.last = sub i64 %networks, 1
  %samples.place = getelementptr i64, ptr %table, i64 1
  %samples = load i64, ptr %samples.place
  %steps.place = getelementptr i64, ptr %table, i64 2
  %steps.all = load i64, ptr %steps.place
  %share.place = getelementptr i64, ptr %table, i64 3
  %share = load i64, ptr %share.place
  %taken.place = getelementptr i64, ptr %table, i64 4
{entry}
  br label %shares
shares:
  %first = atomicrmw add ptr %taken.place, i64 %share monotonic
  %first.any = icmp slt i64 %first, %networks
  br i1 %first.any, label %blocks.first, label %exit
blocks.first:
  %share.end = add i64 %first, %share
  %share.whole = icmp slt i64 %share.end, %networks
  %end = select i1 %share.whole, i64 %share.end, i64 %networks
  br label %blocks
blocks:
  %network = phi i64 [%first, %blocks.first], [%network.next, %done]
  %network.any = icmp slt i64 %network, %end
  br i1 %network.any, label %block, label %shares
block:
{block}
  br label %done
done:
  %network.next = add i64 %network, {lanes}
  br label %blocks
exit:
  ret void
}}
define i64 @turn(ptr %table, i64 %first, i64 %last) {{
  call void @kernel(ptr %table) noinline
  ret i64 0
}}
!0 = !{{}}
!1 = !{{!"branch_weights", i32 1, i32 2000}}
"""
BLOCK_ROWS = """  %network.left = sub i64 %network.last, %network
  %network.whole = icmp sge i64 %network.left, {most}
  br i1 %network.whole, label %block.whole, label %block.part
block.part:"""
STEPS = """steps:
  %step = phi i64 [0, %step.first], [%step.next, %step.end]"""
STEP_END = """  br label %step.end
step.end:
  %step.next = add i64 %step, 1
  %step.last = icmp sge i64 %step.next, %steps.all
  %step.done = or i1 %step.last, {done}
  br i1 %step.done, label %stepped, label %steps"""
STEPPED = "stepped:"
CHUNKS = """  br label %before{level}
before{level}:
  br label %chunks{level}
chunks{level}:
  %chunk{level} = phi i64 [0, %before{level}], [%sample{level}.next, %after{level}]
  %chunk{level}.any = icmp slt i64 %chunk{level}, %samples
  br i1 %chunk{level}.any, label %chunk{level}.body, label %end{level}
chunk{level}.body:
  %chunk{level}.next = add i64 %chunk{level}, {chunk}
  %chunk{level}.full = icmp slt i64 %chunk{level}.next, %samples
  %chunk{level}.end = select i1 %chunk{level}.full, i64 %chunk{level}.next, i64 %samples"""
SAMPLES = """  br label %sample{level}
sample{level}:
  %sample{level}.number = phi i64 [%chunk{level}, %chunk{level}.body], [%sample{level}.next, %sample{level}.end]"""
SAMPLED = """  br label %sample{level}.end
sample{level}.end:
  %sample{level}.next = add i64 %sample{level}.number, 1
  %sample{level}.more = icmp slt i64 %sample{level}.next, %chunk{level}.end
  br i1 %sample{level}.more, label %sample{level}, label %after{level}
after{level}:"""
CHUNKED = """  br label %chunks{level}
end{level}:"""
