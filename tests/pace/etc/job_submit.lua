-- What PACE refuses or rewrites on submission, as far as its users' pages tell; and one refusal that is ours: a GPU
-- partition without a GPU, or a GPU without its partition, must not pass a rehearsal.
local FIELDS = { "tres_per_node", "tres_per_job", "tres_per_task", "tres_per_socket" }

function slurm_job_submit(job, partitions, uid)
  if job.account == nil then
    slurm.log_user("an account (-A) is required")
    return slurm.ERROR
  end
  local asked = ""
  for _, field in ipairs(FIELDS) do
    if job[field] ~= nil then
      -- Users write gpu:V100 where accounting has gpu:v100.
      job[field] = string.lower(job[field])
      asked = asked .. job[field]
    end
  end
  local gpu = string.find(asked, "gpu", 1, true) ~= nil
  local partition = job.partition or ""
  if string.find(partition, "^gpu%-") and not gpu then
    slurm.log_user("a GPU partition without a GPU request")
    return slurm.ERROR
  end
  if string.find(partition, "^cpu%-") and gpu then
    slurm.log_user("a GPU request in a CPU partition")
    return slurm.ERROR
  end
  return slurm.SUCCESS
end

function slurm_job_modify(job, record, partitions, uid)
  return slurm.SUCCESS
end

return slurm.SUCCESS
